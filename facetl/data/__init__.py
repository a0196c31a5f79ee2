"""Frames and their faces: pictures, annotations, data sets, overlays."""

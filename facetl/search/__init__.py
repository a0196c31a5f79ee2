"""A search of images and videos, on this machine or on many.

Pictures go in and results go out; in between everything is forgotten once it is searched::

    inputs     what is to be searched, in files and folders
    sources    pictures in their order: images, frames of videos; what an earlier search has found
    pipeline   several detectors over the same pictures
    video      frames with still ones left out, faces linked over time
    sinks      what takes results: files of runs, overlays, crops, drawn_video, tally; drawing
               says which of those that draw
    local      all of that on this machine
    fleet      pieces of it on many machines: block_search, ray_engine
"""

"""Annotation formats: one module a format, each a line in :mod:`facetl.data.formats.table`.

``base`` says what a format is; ``facetl.data.discovery`` finds data sets in all of them,
``conversion`` writes them.

Why not the readers of supervision (0.31.2), which is at hand?  What was seen:

- wrong data end in the first bare error: ``IndexError: list index out of range`` for a COCO box
  of three numbers, a file but no line for YOLO; nothing is counted or left out;
- a COCO annotation of an unknown image vanishes without a word, one with ``iscrowd`` comes as an
  ordinary box;
- VOC reads the pixels of every image (1 ms each at 480 × 360) where the header would do;
- YOLO images in subfolders are not seen, nor are the splits of ``data.yaml``;
- boxes are float32.

They are right about right files: the tests compare our readers with theirs.
"""

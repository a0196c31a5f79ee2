"""Other people's annotation formats: COCO, YOLO, Pascal VOC and the text of WIDER FACE.

One module a format, each with a ``load_…`` that gives an ``AnnotationFile`` of half-open pixel
boxes, and a ``save_…`` where facetl writes it.  ``recognition`` tells which format a file is in,
``places`` where a format keeps images and annotations, ``conversion`` writes whole data sets.

Why not the readers of supervision (0.31.2), which is at hand?  What was seen:

- wrong data end in the first bare error: ``IndexError: list index out of range`` for a COCO box
  of three numbers, a file but no line for YOLO; nothing is counted or left out;
- a COCO annotation of an unknown image vanishes without a word, one with ``iscrowd`` comes as an
  ordinary box;
- VOC reads the pixels of every image (1 ms each at 480 × 360) where the header would do;
- YOLO images in subfolders are not seen, nor are the splits of ``data.yaml``;
- boxes are float32.

They are right about right files: the tests hold our readers to theirs.
"""

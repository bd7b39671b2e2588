"""Run by the Python that has MediaPipe: `classify_with_mediapipe.py <model.tflite> <image>...`.

It prints JSON: MediaPipe's version, and for each image the score of each class, by name.
"""

import json
import sys

import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

model, *images = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
with vision.ImageClassifier.create_from_options(options) as classifier:
    results = [classifier.classify(mediapipe.Image.create_from_file(image)) for image in images]
(head,) = {len(result.classifications) for result in results}
assert head == 1
scores = [{each.category_name: each.score for each in result.classifications[0].categories} for result in results]
print(json.dumps({"version": mediapipe.__version__, "scores": scores}))

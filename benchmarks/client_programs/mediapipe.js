/* MediaPipe's image classifier, on the processor: the score of each class, by name, photo by photo. */

import { FilesetResolver, ImageClassifier } from "./mediapipe/vision_bundle.mjs";

export async function classify({ model, photos }) {
  const wasm = await FilesetResolver.forVisionTasks(new URL("mediapipe/wasm", location).href);
  const baseOptions = { modelAssetPath: model, delegate: "CPU" };
  const classifier = await ImageClassifier.createFromOptions(wasm, { baseOptions, runningMode: "IMAGE" });
  const answers = [];
  for (const photo of photos) {
    const bitmap = await createImageBitmap(await (await fetch(photo)).blob());
    const { classifications } = classifier.classify(bitmap);
    bitmap.close();
    if (classifications.length !== 1) throw new Error(`${classifications.length} heads, where 1 was expected`);
    answers.push(Object.fromEntries(classifications[0].categories.map((each) => [each.categoryName, each.score])));
  }
  classifier.close();
  return answers;
}

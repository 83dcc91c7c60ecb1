import { Model } from "./model.js";
import { models } from "./parts.js";

const model = await Model.open(models()[0]);
const size = model.facts.imageSize;
const { pixels } = await model.imagesOf(0n, 0n, 1, "");
const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("picture"));
canvas.width = canvas.height = size;
const picture = new ImageData(size, size);
for (let place = 0; place < size * size; place++) {
  picture.data.set(pixels.subarray(3 * place, 3 * place + 3), 4 * place);
  picture.data[4 * place + 3] = 255;
}
canvas.getContext("2d")?.putImageData(picture, 0, 0);

import { DEFAULT_BUNDLE } from '../src/config.ts';
import { loadModel } from '../src/model/model.ts';
import { argmax, seededRandom } from '../src/model/sampling.ts';
import { readPhotographs, sceneTokens, show } from './haystack.ts';
import { FPS, DAY_LIMIT_BYTES, HAY_CLASSES, plant, question, shuffled, judge } from './needle.ts';
const model = await loadModel(process.argv[3] ?? DEFAULT_BUNDLE);
const photographs = await readPhotographs();
const tokens = await sceneTokens(model, photographs);
const named = new Map(photographs.map((p) => [p.class, p.asked]));
const seconds = Number(process.argv[2] ?? 10);
const per = seconds > 100 ? 12 : 1;
const rounds = Number(process.argv[4] ?? 60);
const random = seededRandom(1);
const yes = model.config.answerTokens.findIndex((t) => model.tokenizer.decode([t]).trim() === 'yes');
const no = model.config.answerTokens.findIndex((t) => model.tokenizer.decode([t]).trim() === 'no');
const nums: number[] = [], nnums: number[] = []; const by = new Map<string, number[]>(); const neg: number[] = []; let right = 0, found = 0, n = 0;
const negBy: string[] = [];
for (let i = 0; i < rounds / per; i++) {
  const classes = shuffled([...named.keys()], random);
  const planted = classes.slice(HAY_CLASSES, HAY_CLASSES + per); const absent = classes.slice(HAY_CLASSES + per, HAY_CLASSES + 2 * per);
  const { scenes, at } = plant(classes.slice(0, HAY_CLASSES), planted, seconds * FPS, random);
  const cache = model.newCache(DAY_LIMIT_BYTES);
  const starts = await show(model, cache, tokens, scenes, FPS);
  for (const [j, name] of planted.entries()) {
    const input = await question(model, cache, named.get(name) ?? name);
    const [out] = await model.reader.readTogether(cache, [{ frames: cache.frames, input }]);
    nums.push(Math.round(out!.number * 100) / 100); const diff = (out!.logits[yes] ?? 0) - (out!.logits[no] ?? 0);
    const jd = judge(model, cache, out!, ((starts[at[j]!] ?? 0) * 1000) / FPS);
    const k = `${name} (asked ${named.get(name)})`;
    by.set(k, [...(by.get(k) ?? []), Math.round(diff * 10) / 10]); n++; right += jd.yes && jd.found ? 1 : 0; found += jd.found ? 1 : 0;
  }
  for (const name of absent) {
    const input = await question(model, cache, named.get(name) ?? name);
    const [out] = await model.reader.readTogether(cache, [{ frames: cache.frames, input }]);
    nnums.push(Math.round(out!.number * 100) / 100); neg.push((out!.logits[yes] ?? 0) - (out!.logits[no] ?? 0)); if (neg.at(-1)! > 0) negBy.push(name);
  }
}
for (const [k, v] of [...by].sort((a, b) => Math.min(...a[1]) - Math.min(...b[1]))) console.log(k, v.join(' '));
console.log({ n, right, found, negYes: negBy, negMean: neg.reduce((a, b) => a + b, 0) / neg.length, negSorted: neg.sort((a, b) => b - a).slice(0, 10).map((x) => Math.round(x * 10) / 10) });
console.log("planted", nums.sort((a,b)=>a-b).join(" ")); console.log("absent", nnums.sort((a,b)=>a-b).join(" "));

/** An evaluation as a table for a person. */
import { QUESTIONS_AT_ONCE } from './options.ts';
import type { CaptionScores, Evaluation } from './report.ts';
import type { Interval, Mean, Ratio, TaskScore } from './score.ts';

const NAME = 32;

export function table(result: Evaluation): string {
  const { recall, phrasings, lastFrames, hallucination, describe, conversation, confidence } = result;
  const head = `${result.bundle}, seed ${result.seed}: ${result.streams} streams of ${result.seconds} s, ${result.questions} questions`;
  const parts = [
    [
      `${'task'.padEnd(NAME)}accuracy    correct   95% interval          random  most frequent`,
      ...Object.entries(result.tasks).map(
        ([task, of]) => row(task, of) + `  ${percent(of.random)} ${percent(of.mostFrequent)}`,
      ),
    ],
    Object.entries(result.tasks).flatMap(([task, { rule }]) =>
      rule === null ? [] : [`${`${task}, best rule`.padEnd(NAME)}${percent(rule.accuracy)}  (${rule.name})`],
    ),
    Object.entries(result.nowBySet).map(([set, score]) => row(`now, ${set}`, score)),
    [
      row('hallucination ("yes")', {
        accuracy: hallucination.share,
        correct: hallucination.count,
        total: hallucination.total,
        interval: hallucination.interval,
      }),
    ],
    [
      row('recall', recall),
      ...(recall.overStreams === null
        ? []
        : [`${'  over streams'.padEnd(NAME)}${' '.repeat(21)}${interval(recall.overStreams)}`]),
      row('  same streams as below', recall.controlled),
      row('  cache emptied', recall.emptied),
      row('  pictures shuffled', recall.shuffled),
      row(`  last ${lastFrames.frames} frames only`, lastFrames.recall),
      row(`now, last ${lastFrames.frames} frames only`, lastFrames.now),
      `  chance (one of those shown) ${percent(recall.chance)}`,
    ],
    [
      row('now and recall, by themselves', conversation.alone),
      row('  after another question', conversation.afterAnother),
    ],
    Object.entries(result.relativeToNow).map(([task, of]) => ratioRow(`${task} / now`, of)),
    [
      row('phrasings, trained', phrasings.trained),
      row('phrasings, held out', phrasings.heldOut),
      `${'  difference'.padEnd(NAME)}${percent(phrasings.difference)}${' '.repeat(14)}${interval(phrasings.interval)}`,
    ],
    Object.entries(result.byLength).flatMap(([length, { streams, now, recall: mine }]) => [
      row(`recall, ${length} s (${streams})`, mine),
      row(`now, ${length} s`, now),
    ]),
    describe === null
      ? []
      : [
          ...captionRows('describe', describe),
          ...captionRows('  nearest picture’s caption', describe.nearest),
          ...captionRows('  one caption for all', describe.typical),
        ],
    [
      row('evidence inside, right answers', result.evidence),
      row('  all answers', result.evidence.ofAll),
      meanRow('  overlap (IoU)', result.evidence.iou),
      meanRow('  overlap of the whole video', result.evidence.uniformIou),
      meanRow('  length, times the moment', result.evidence.length),
    ],
    [
      `${'right answers surer than wrong'.padEnd(NAME)}${share(confidence.rightIsSurer)}`,
      `${'  of one task'.padEnd(NAME)}${share(confidence.withinTask)}`,
      ...Object.entries(confidence.atLeast).map(
        ([least, of]) => `${row(`  right, sure of ${least} or more`, of)}  ${percent(of.share)} of all`,
      ),
    ],
    [`first word of an answer: ${result.firstTokenMs.median} ms (median, up to ${QUESTIONS_AT_ONCE} asked at once)`],
    [result.intervals],
  ];
  return `${[head, ...parts.filter((part) => part.length > 0).map((part) => part.join('\n'))].join('\n\n')}\n`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`.padStart(7);
}

function share(of: number | null): string {
  return of === null ? '      -' : percent(of);
}

function interval([low, high]: Interval): string {
  return `[${percent(low)},${percent(high)} ]`;
}

function row(name: string, score: TaskScore): string {
  const of = `${score.correct}/${score.total}`.padStart(9);
  return `${name.padEnd(NAME)}${percent(score.accuracy)}  ${of}   ${interval(score.interval)}`;
}

function ratioRow(name: string, of: Ratio | null): string {
  if (of === null) return `${name.padEnd(NAME)}      -`;
  const range = of.interval === null ? '' : `[${of.interval.map((end) => end.toFixed(2).padStart(7)).join(', ')} ]`;
  return `${name.padEnd(NAME)}${of.ratio.toFixed(2).padStart(7)}${' '.repeat(14)}${range}`;
}

function meanRow(name: string, { mean, interval: [low, high] }: Mean): string {
  return `${name.padEnd(NAME)}${mean.toFixed(2).padStart(7)}${' '.repeat(14)}[${low.toFixed(2)}, ${high.toFixed(2)}]`;
}

function captionRows(name: string, scores: CaptionScores): string[] {
  const of = (measure: string, { mean, total, interval: [low, high] }: Mean): string =>
    `${`${name}, ${measure}`.padEnd(NAME + 10)}${mean.toFixed(3)} of ${total}   [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return [of('CIDEr-D', scores.ciderD), of('token F1', scores.tokenF1)];
}

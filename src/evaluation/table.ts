/** An evaluation as a table for a person. */
import { QUESTIONS_AT_ONCE } from './options.ts';
import type { CaptionScores, Evaluation } from './report.ts';
import type { Interval, Mean, Ratio, TaskScore } from './score.ts';

const NAME_WIDTH = 32;

export function formatTable(result: Evaluation): string {
  const { recall, phrasings, lastFrames, hallucination, describe, conversation, confidence } = result;
  const head = `${result.bundle}, seed ${result.seed}: ${result.streams} streams of ${result.seconds} s, ${result.questions} questions`;
  const parts = [
    [
      `${'task'.padEnd(NAME_WIDTH)}accuracy    correct   95% interval          random  most frequent`,
      ...Object.entries(result.tasks).map(
        ([task, score]) => row(task, score) + `  ${percent(score.random)} ${percent(score.mostFrequent)}`,
      ),
    ],
    Object.entries(result.tasks).flatMap(([task, { rule }]) =>
      rule === null ? [] : [`${`${task}, best rule`.padEnd(NAME_WIDTH)}${percent(rule.accuracy)}  (${rule.name})`],
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
        : [`${'  over streams'.padEnd(NAME_WIDTH)}${' '.repeat(21)}${interval(recall.overStreams)}`]),
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
    Object.entries(result.relativeToNow).map(([task, ratio]) => ratioRow(`${task} / now`, ratio)),
    [
      row('phrasings, trained', phrasings.trained),
      row('phrasings, held out', phrasings.heldOut),
      `${'  difference'.padEnd(NAME_WIDTH)}${percent(phrasings.difference)}${' '.repeat(14)}${interval(phrasings.interval)}`,
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
      `${'right answers surer than wrong'.padEnd(NAME_WIDTH)}${share(confidence.rightIsSurer)}`,
      `${'  of one task'.padEnd(NAME_WIDTH)}${share(confidence.withinTask)}`,
      ...Object.entries(confidence.atLeast).map(
        ([least, score]) => `${row(`  right, sure of ${least} or more`, score)}  ${percent(score.share)} of all`,
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

function share(value: number | null): string {
  return value === null ? '      -' : percent(value);
}

function interval([low, high]: Interval): string {
  return `[${percent(low)},${percent(high)} ]`;
}

function row(name: string, score: TaskScore): string {
  const counts = `${score.correct}/${score.total}`.padStart(9);
  return `${name.padEnd(NAME_WIDTH)}${percent(score.accuracy)}  ${counts}   ${interval(score.interval)}`;
}

function ratioRow(name: string, ratio: Ratio | null): string {
  if (ratio === null) return `${name.padEnd(NAME_WIDTH)}      -`;
  const range =
    ratio.interval === null ? '' : `[${ratio.interval.map((end) => end.toFixed(2).padStart(7)).join(', ')} ]`;
  return `${name.padEnd(NAME_WIDTH)}${ratio.ratio.toFixed(2).padStart(7)}${' '.repeat(14)}${range}`;
}

function meanRow(name: string, { mean, interval: [low, high] }: Mean): string {
  return `${name.padEnd(NAME_WIDTH)}${mean.toFixed(2).padStart(7)}${' '.repeat(14)}[${low.toFixed(2)}, ${high.toFixed(2)}]`;
}

function captionRows(name: string, scores: CaptionScores): string[] {
  const line = (measure: string, { mean, total, interval: [low, high] }: Mean): string =>
    `${`${name}, ${measure}`.padEnd(NAME_WIDTH + 10)}${mean.toFixed(3)} of ${total}   [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return [line('CIDEr-D', scores.ciderD), line('token F1', scores.tokenF1)];
}

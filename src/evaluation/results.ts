/** The results of one finished stream: plain data that a file can keep and a report is made from. */
import { z } from 'zod';
import type { AnswerResult } from '../live/types.ts';
import { TASKS, type EvaluationQuestion } from './questions.ts';
import { isRight } from './score.ts';

const task = z.enum(TASKS);

const answered = z.object({
  task,
  heldOut: z.boolean(),
  expected: z.string(),
  answer: z.string(),
  right: z.boolean(),
  /** The model's own confidence, 0..1. */
  confidence: z.number(),
  chance: z.number(),
  /** Answers of rules that need no memory, by rule. */
  rules: z.record(z.string(), z.string()).optional(),
  /** Set of the picture that the answer rests on; null if there is none. */
  set: z.string().nullable(),
  /** Whether it asks about a thing that was never shown. */
  absent: z.boolean(),
  /** Whether the strongest evidence peaks inside the right moment, with some slack; null if there is no such moment. */
  inside: z.boolean().nullable(),
  /** All evidence compared with that moment; null if there is none. */
  overlap: z
    .object({
      /** Intersection over union with the moment: of the evidence, and of everything that could be seen. */
      iou: z.number(),
      uniform: z.number(),
      /** Length of the evidence divided by that of the moment. */
      length: z.number(),
    })
    .nullable(),
  firstTokenMs: z.number(),
});

const described = z.object({
  captions: z.array(z.string()),
  answer: z.string(),
  /** Caption of the training picture that looks most alike. */
  nearest: z.string().nullable(),
});

const control = z.object({ task, expected: z.string(), answer: z.string(), right: z.boolean() });

export const streamResult = z.object({
  stream: z.int().nonnegative(),
  seconds: z.number(),
  answered: z.array(answered),
  described: z.array(described),
  /** The same questions without the memory; null if this stream was not asked so. */
  controls: z
    .object({
      emptied: z.array(control),
      shuffled: z.array(control),
      lastFrames: z.array(control),
      /** With the memory, each after another question in a conversation. */
      afterAnother: z.array(control),
    })
    .nullable(),
});

export type AnsweredQuestion = z.infer<typeof answered>;
export type DescribedScene = z.infer<typeof described>;
export type ControlAnswer = z.infer<typeof control>;
export type StreamResult = z.infer<typeof streamResult>;
export type Controls = NonNullable<StreamResult['controls']>;

const EVIDENCE_SLACK_MS = 500;

type Range = readonly [startMs: number, endMs: number];

/**
 * How well an answer's evidence covers the right moment, and how well everything that could be seen would. A sampled
 * frame stands for the time until the next, `frameMs`.
 */
export function overlapOf(
  evidence: readonly Range[],
  moment: Range,
  asOfMs: number,
  frameMs: number,
): NonNullable<AnsweredQuestion['overlap']> {
  const [from, to] = moment;
  const length = to - from;
  const frameSpans = evidence.map(([start, end]): Range => [start, end + frameMs]);
  const total = frameSpans.reduce((sum, [start, end]) => sum + end - start, 0);
  const shared = frameSpans.reduce(
    (sum, [start, end]) => sum + Math.max(0, Math.min(end, to) - Math.max(start, from)),
    0,
  );
  const seen = Math.max(to, asOfMs + frameMs);
  return { iou: shared / (total + length - shared), uniform: length / seen, length: total / length };
}

/** `fps`: frames a second that the stream sampled. */
export function judgeAnswer(question: EvaluationQuestion, result: AnswerResult, fps: number): AnsweredQuestion {
  const { task: asked, heldOut, expected, chance, moment, absent, rules } = question;
  const [top] = result.evidence;
  const peak = top?.peakMs ?? -Infinity;
  const inside =
    moment === null ? null : peak >= moment.startMs - EVIDENCE_SLACK_MS && peak <= moment.endMs + EVIDENCE_SLACK_MS;
  return {
    task: asked,
    heldOut,
    expected,
    answer: result.text,
    right: isRight(question, result.text),
    confidence: result.confidence,
    chance,
    ...(rules === undefined ? {} : { rules }),
    set: moment?.set ?? null,
    absent: absent === true,
    inside,
    overlap:
      moment === null
        ? null
        : overlapOf(
            result.evidence.map(({ startMs, endMs }): Range => [startMs, endMs]),
            [moment.startMs, moment.endMs],
            result.asOfMs,
            1000 / fps,
          ),
    firstTokenMs: result.firstTokenMs,
  };
}

export function judgeControl(question: Pick<EvaluationQuestion, 'task' | 'expected'>, answer: string): ControlAnswer {
  const { task: asked, expected } = question;
  return { task: asked, expected, answer, right: isRight(question, answer) };
}

/** Scores the answers again: they may have been kept by a version with other rules for right and wrong. */
export function rescore(result: StreamResult): StreamResult {
  const rescoreAll = <T extends ControlAnswer>(answers: readonly T[]): T[] =>
    answers.map((one) => ({ ...one, right: isRight(one, one.answer) }));
  const { controls } = result;
  return {
    ...result,
    answered: rescoreAll(result.answered),
    controls:
      controls === null
        ? null
        : {
            emptied: rescoreAll(controls.emptied),
            shuffled: rescoreAll(controls.shuffled),
            lastFrames: rescoreAll(controls.lastFrames),
            afterAnother: rescoreAll(controls.afterAnother),
          },
  };
}

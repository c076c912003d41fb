import { type Command, Option } from 'commander';
import { YocoError } from '../errors.ts';
import { evaluate, type Evaluation } from '../evaluation/evaluate.ts';
import type { TaskScore } from '../evaluation/score.ts';
import type { Fit } from '../evaluation/video.ts';
import { startLocalStreams } from './local-streams.ts';
import { ProgressLine } from './terminal.ts';

interface EvalFlags {
  readonly data: string;
  readonly sets: string;
  readonly bundle?: string;
  readonly seed: string;
  readonly streams: string;
  readonly seconds: string;
  readonly size: string;
  readonly fit: Fit;
  readonly controls: string;
  readonly heldOut?: true;
  readonly answers?: true;
  readonly json?: true;
}

export function addEval(program: Command): void {
  program
    .command('eval')
    .description('play labelled pictures as videos through the real path, and print the accuracy of each task')
    .requiredOption('--data <dir>', 'folder of sets: <set>/labels.jsonl and their pictures')
    .option('--sets <names>', 'which sets, separated by commas; "all" for every set with labels', 'grocery,clothing')
    .option('--bundle <dir>', 'model bundle')
    .option('--seed <number>', 'seed of the streams and questions', '1')
    .option('--streams <number>', 'how many streams', '40')
    .option('--seconds <number>', 'length of a stream', '30')
    .option('--size <WxH>', 'size of the videos', '480x360')
    .addOption(
      new Option('--fit <how>', 'how a picture fills the video')
        .choices(['fill', 'contain', 'cover'])
        .default('contain'),
    )
    .option('--controls <share>', 'share of the streams that are also asked without their memory', '0.3')
    .option('--held-out', 'only pictures that the bundled model did not train on (of the sets it knows)')
    .option('--answers', 'print every answer on stderr')
    .option('--json', 'print one JSON object')
    .action(async (flags: EvalFlags) => {
      const [width = NaN, height = NaN] = flags.size.split('x').map(Number);
      const number = (name: string, text: string): number => {
        const value = Number(text);
        if (Number.isFinite(value) && value >= 0) return value;
        throw new YocoError('invalid_request', { param: name, detail: `--${name} must be a number.` });
      };
      const live = await startLocalStreams(flags.bundle);
      const progress = new ProgressLine('Evaluating');
      try {
        const result = await evaluate(live, {
          data: flags.data,
          sets: flags.sets === 'all' ? [] : flags.sets.split(','),
          seed: number('seed', flags.seed),
          streams: number('streams', flags.streams),
          seconds: number('seconds', flags.seconds),
          heldOut: flags.heldOut === true,
          video: { width: number('size', String(width)), height: number('size', String(height)), fit: flags.fit },
          controls: number('controls', flags.controls),
          onProgress: (done, total) => {
            progress.show(done / total, `${done} of ${total} streams`);
          },
          ...(flags.answers === true
            ? {
                onAnswer: (question, answer, right) =>
                  void process.stderr.write(
                    `${right ? '+' : '-'} ${question.task}: ${question.text} ${answer} (${question.expected})\n`,
                  ),
              }
            : {}),
        });
        progress.end();
        process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : table(result));
      } finally {
        await live.close();
      }
    });
}

function table(result: Evaluation): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)}%`.padStart(7);
  const row = (name: string, score: TaskScore): string =>
    `${name.padEnd(22)}${percent(score.accuracy)}  ${`${score.correct}/${score.total}`.padStart(9)}   [${percent(score.interval[0])},${percent(score.interval[1])} ]\n`;
  const { tasks, nowBySet, recall, evidence } = result;
  let text = `${result.bundle}, seed ${result.seed}: ${result.streams} streams of ${result.seconds} s, ${result.questions} questions\n\n`;
  text += `${'task'.padEnd(22)}accuracy    correct   95% interval\n`;
  for (const [task, score] of Object.entries(tasks)) if (score !== undefined) text += row(task, score);
  text += '\n';
  for (const [set, score] of Object.entries(nowBySet)) text += row(`now, ${set}`, score);
  text += `\n${row('recall', recall)}${row('  cache emptied', recall.emptied)}${row('  pictures shuffled', recall.shuffled)}`;
  text += `  chance (one of those shown) ${percent(recall.chance)}\n\n${row('evidence inside', evidence)}`;
  return `${text}first word of an answer: ${result.firstTokenMs.median} ms (median)\n`;
}

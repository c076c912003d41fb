import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { readConfig } from '../config.ts';
import { YocoError } from '../errors.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { table } from '../evaluation/table.ts';
import type { Fit } from '../evaluation/video.ts';
import { startLocalStreams } from './local-streams.ts';
import { ProgressLine } from './terminal.ts';

/** Of an hour at eight frames a second: controls look at pictures of all of it, bytes. */
const PICTURES_BYTES = 2 ** 30;

interface EvalFlags {
  readonly data: string;
  readonly sets: string;
  readonly bundle?: string;
  readonly seed: string;
  readonly streams: string;
  readonly seconds: string;
  readonly size: string;
  readonly fps: string;
  readonly fit: Fit;
  readonly controls: string;
  readonly resume?: string;
  readonly heldOut?: true;
  readonly answers?: true;
  readonly json?: true;
}

export function addEval(program: Command): void {
  program
    .command('eval')
    .description('play labelled pictures as videos through the real path, and print the accuracy of each task')
    .requiredOption('--data <dir>', 'folder of sets: <set>/labels.jsonl and their pictures')
    .option('--sets <names>', 'sets to name, separated by commas; "all" for every set with labels', 'grocery,clothing')
    .option('--bundle <dir>', 'model bundle')
    .option('--seed <number>', 'seed of the streams and questions', '1')
    .option('--streams <numbers>', 'how many streams; or a number for each length, as 20,10,5', '40')
    .option('--seconds <lengths>', 'length of a stream; several, as 10,30,60, or a range, as 10-300', '30')
    .option('--size <WxH>', 'size of the videos', '480x360')
    .addOption(
      new Option('--fit <how>', 'how a picture fills the video')
        .choices(['fill', 'contain', 'cover'])
        .default('contain'),
    )
    .option('--fps <number>', 'frames a second that the model sees', '2')
    .option('--controls <share>', 'share of the streams that are also asked without their memory', '0.3')
    .option('--resume <file>', 'keep finished streams in this file, and go on from those that are in it')
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
      const live = await startLocalStreams(flags.bundle, { thumbnailLimitBytes: PICTURES_BYTES });
      const progress = new ProgressLine('Evaluating');
      try {
        const result = await evaluate(live, {
          data: flags.data,
          sets: flags.sets === 'all' ? [] : flags.sets.split(','),
          seed: number('seed', flags.seed),
          streams: flags.streams,
          seconds: flags.seconds,
          heldOut: flags.heldOut === true,
          video: { width: number('size', String(width)), height: number('size', String(height)), fit: flags.fit },
          fps: number('fps', flags.fps),
          controls: number('controls', flags.controls),
          bundleId: await bundleId(flags.bundle),
          ...(flags.resume === undefined ? {} : { resume: flags.resume }),
          onProgress: (done, total) => {
            progress.show(done / total, `${done} of ${total} streams`);
          },
          ...(flags.answers === true
            ? {
                onAnswer: ({ task, text, expected }, answer, right) =>
                  void process.stderr.write(
                    `${right === null ? ' ' : right ? '+' : '-'} ${task}: ${text} ${answer} (${expected})\n`,
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

/** Of its config, which holds the checksum of every file. */
async function bundleId(bundle: string | undefined): Promise<string> {
  const config = await readConfig({ bundle });
  const text = await readFile(path.join(config.bundle, 'config.json'));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

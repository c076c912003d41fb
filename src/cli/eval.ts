import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { readConfig } from '../config.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { checkOptions, type EvaluationFlags } from '../evaluation/options.ts';
import { formatTable } from '../evaluation/table.ts';
import type { Streams } from '../live/live-service.ts';
import { startLocalStreams } from './local-streams.ts';
import { isCausedByStop, ProgressLine, stopSignal, stopExitStatus } from './terminal.ts';

/** Room for the pictures of an hour at eight frames a second, bytes: controls look at all of them. */
const PICTURES_BYTES = 2 ** 30;

interface EvalFlags extends EvaluationFlags {
  readonly data: string;
  readonly bundle?: string;
  readonly resume?: string;
  readonly heldOut?: true;
  readonly answers?: true;
  readonly json?: true;
}

export function addEval(program: Command): void {
  program
    .command('eval')
    .description('play labelled pictures as videos through the whole service, and print the accuracy of each task')
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
    .option('--resume <file>', 'save finished streams to this file, and resume from it')
    .option('--held-out', 'only pictures that the bundled model did not train on (of the sets it knows)')
    .option('--answers', 'print every answer on stderr')
    .option('--json', 'print one JSON object')
    .action(async (flags: EvalFlags) => {
      const checked = checkOptions(flags);
      const config = await readConfig({ bundle: flags.bundle });
      const signal = stopSignal();
      const status = stopExitStatus();
      const progress = new ProgressLine('Evaluating');
      let live: Streams | undefined;
      try {
        live = await startLocalStreams(flags.bundle, { thumbnailLimitBytes: PICTURES_BYTES });
        signal.throwIfAborted();
        const result = await evaluate(live, {
          ...checked,
          data: flags.data,
          heldOut: flags.heldOut === true,
          bundleId: await bundleId(config.bundle),
          device: config.device,
          signal,
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
        process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : formatTable(result));
      } catch (error) {
        progress.end();
        // An error that results from a stop is not reported: whoever stopped the command knows why.
        if (!(await isCausedByStop(signal))) throw error;
        process.exitCode = status();
      } finally {
        await live?.close();
      }
    });
}

/** A checksum of the bundle's config, which contains the checksum of every file. */
async function bundleId(bundle: string): Promise<string> {
  const text = await readFile(path.join(bundle, 'config.json'));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * `npm run bench [-- NAME... --json --quick]`: figures with baselines measured in the same run. Without a name, all
 * benches run one after the other. With `--json`, stdout holds one JSON object and nothing else. If a bench fails, the
 * results of the others are still printed and the exit status is 1.
 */
import { askers } from './askers.ts';
import { device } from './device.ts';
import { failures } from './failures.ts';
import { hours } from './hours.ts';
import { intake } from './intake.ts';
import { kinds } from './kinds.ts';
import { latency } from './latency.ts';
import { llamacpp } from './llamacpp.ts';
import { machine } from './machine.ts';
import { memory } from './memory.ts';
import { needle } from './needle.ts';
import { needles } from './needles.ts';
import { type CommandLine, parseCommandLine } from './options.ts';
import { precision } from './precision.ts';
import { reread } from './reread.ts';
import { type Bench, checkNames, runBenches } from './run-benches.ts';
import { signs } from './signs.ts';
import { streams } from './streams.ts';
import { transformer } from './transformer.ts';

const BENCHES: Record<string, Bench> = {
  intake,
  latency,
  memory,
  askers,
  reread,
  streams,
  transformer,
  hours,
  needle,
  needles,
  precision,
  device,
  failures,
  signs,
  kinds,
  llamacpp,
};

/** Above this load average, other programs take a share of the cores. */
const BUSY_LOAD = 1;

function commandLine(): CommandLine {
  try {
    const parsed = parseCommandLine(process.argv.slice(2), process.env);
    checkNames(BENCHES, parsed.names, parsed.options);
    return parsed;
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

// Exits explicitly so that `exit` handlers remove the temporary files of benches.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const { names, json, options } = commandLine();
const note = (line: string): void => void process.stderr.write(`${line}\n`);
const measuredOn = machine();
if (measuredOn.load > BUSY_LOAD) {
  note(`warning: the machine is busy (load ${measuredOn.load}); these are no figures to report`);
}
const { results, failed } = await runBenches(BENCHES, names, options, note);
const all = { machine: measuredOn, ...results };
process.stdout.write(json ? `${JSON.stringify(all)}\n` : `${table(all)}\n`);
if (failed.length > 0) {
  note(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

/** One line for each figure, nested ones indented. */
function table(value: object, indent = ''): string {
  return Object.entries(value)
    .map(([key, item]: [string, unknown]) =>
      typeof item === 'object' && item !== null
        ? `${indent}${key}\n${table(item, `${indent}  `)}`
        : `${indent}${key.padEnd(24 - indent.length)} ${String(item)}`,
    )
    .join('\n');
}

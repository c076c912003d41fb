/**
 * `npm run bench [-- NAME... --json --quick]`: figures with their baselines, measured in the same run. With `--json` stdout
 * holds one JSON object and nothing else. Without a name all of them run, one after the other.
 */
import { askers } from './askers.ts';
import { device } from './device.ts';
import { failures } from './failures.ts';
import { hours } from './hours.ts';
import { intake } from './intake.ts';
import { latency } from './latency.ts';
import { llamacpp } from './llamacpp.ts';
import { machine } from './machine.ts';
import { memory } from './memory.ts';
import { needle } from './needle.ts';
import { needles } from './needles.ts';
import { type BenchOptions, parseCommandLine } from './options.ts';
import { precision } from './precision.ts';
import { reread } from './reread.ts';
import { signs } from './signs.ts';
import { streams } from './streams.ts';
import { transformer } from './transformer.ts';

type Bench = (options: BenchOptions) => Promise<Record<string, unknown>>;

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
  llamacpp,
};

/** Load average above which other programs take a share of the cores. */
const BUSY_LOAD = 1;

function fail(message: string): never {
  process.stderr.write(`error: ${message}\n`);
  process.exit(1);
}

function commandLine(): ReturnType<typeof parseCommandLine> {
  try {
    return parseCommandLine(process.argv.slice(2), process.env);
  } catch (error) {
    return fail((error as Error).message);
  }
}

const { names, json, options } = commandLine();
const unknown = names.find((name) => !(name in BENCHES));
if (unknown !== undefined) fail(`no bench is called ${unknown}; there are ${Object.keys(BENCHES).join(', ')}`);

const measuredOn = machine();
if (measuredOn.load > BUSY_LOAD) {
  process.stderr.write(`warning: the machine is busy (load ${measuredOn.load}); these are no figures to report\n`);
}
const results: Record<string, unknown> = { machine: measuredOn };
for (const [name, run] of Object.entries(BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  process.stderr.write(`running ${name} ...\n`);
  results[name] = await run(options);
}
process.stdout.write(json ? `${JSON.stringify(results)}\n` : `${table(results)}\n`);

/** One line a figure; what is nested is indented. */
function table(value: object, indent = ''): string {
  return Object.entries(value)
    .map(([key, item]: [string, unknown]) =>
      typeof item === 'object' && item !== null
        ? `${indent}${key}\n${table(item, `${indent}  `)}`
        : `${indent}${key.padEnd(24 - indent.length)} ${String(item)}`,
    )
    .join('\n');
}

/** `npm run bench [-- NAME... --json]`: figures with their baselines, measured in the same run. */
import { intake } from './intake.ts';
import { latency } from './latency.ts';
import { machine } from './machine.ts';
import { memory } from './memory.ts';

const BENCHES: Record<string, () => Promise<Record<string, unknown>>> = { intake, latency, memory };

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const json = process.argv.includes('--json');
const unknown = names.find((name) => !(name in BENCHES));
if (unknown !== undefined) {
  process.stderr.write(`error: no bench is called ${unknown}; there are ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(1);
}

const results: Record<string, unknown> = { machine: machine() };
for (const [name, run] of Object.entries(BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  process.stderr.write(`running ${name} ...\n`);
  results[name] = await run();
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

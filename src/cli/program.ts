/** The command line: which commands there are. Results go to stdout, everything else to stderr. */
import { Command } from 'commander';
import { checkVariables } from '../config.ts';
import { YocoError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { addAsk } from './ask.ts';
import { addDemo } from './demo.ts';
import { errorText } from './error-text.ts';
import { addEval } from './eval.ts';
import { addEvalClips } from './eval-clips.ts';
import { addList } from './list.ts';
import { addRestore } from './restore.ts';
import { addServe } from './serve.ts';
import { addSnapshot, addSnapshots } from './snapshot.ts';
import { addWatch } from './watch.ts';

/** Exit status of a program that SIGPIPE ended: whoever read its results has read enough (`| head`). */
const SIGPIPE_STATUS = 141;

export async function run(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(SIGPIPE_STATUS);
    process.stderr.write(`error: The results cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  // Nobody has to read stderr, and when it cannot be written the failure cannot be reported.
  process.stderr.on('error', () => undefined);
  const program = new Command('yoco-live')
    .description('Watches live video and answers questions about it at any time.')
    .version(VERSION, '-V, --version', 'print the version')
    .hook('preAction', () => {
      checkVariables(process.env);
    })
    .showHelpAfterError()
    .configureHelp({ showGlobalOptions: true });
  const commands = [
    addDemo,
    addServe,
    addAsk,
    addList,
    addWatch,
    addSnapshot,
    addSnapshots,
    addRestore,
    addEval,
    addEvalClips,
  ];
  for (const add of commands) add(program);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.stderr.write(errorText(YocoError.from(error)));
    process.exitCode = 1;
  }
}

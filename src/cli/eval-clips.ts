import type { Command } from 'commander';
import { evaluateClips } from '../evaluation/clips.ts';
import { startLocalStreams } from './local-streams.ts';

export function addEvalClips(program: Command): void {
  program
    .command('eval-clips')
    .description(
      'ask questions about real clips, compare the answers with those of a person, and print how many are right',
    )
    .argument('<folder>', 'folder of the clips')
    .option('--bundle <dir>', 'model bundle')
    .option('--json', 'print one JSON object')
    .action(async (folder: string, flags: { readonly bundle?: string; readonly json?: true }) => {
      const live = await startLocalStreams(flags.bundle);
      try {
        const { score, baseline, confidence, clips } = await evaluateClips(live, folder);
        if (flags.json === true) {
          process.stdout.write(`${JSON.stringify({ score, baseline, confidence, clips })}\n`);
          return;
        }
        for (const [clip, { score: mine, answers }] of Object.entries(clips)) {
          process.stdout.write(`${clip}: ${mine.correct} of ${mine.total}\n`);
          for (const { question, answer, right, confidence: sure } of answers) {
            process.stdout.write(`  ${right ? '+' : '-'} ${question} ${answer} (${sure.toFixed(2)})\n`);
          }
        }
        process.stdout.write(`${score.correct} of ${score.total} right, by text alone ${baseline.correct}\n`);
        const { rightIsSurer, atLeast } = confidence;
        process.stdout.write(
          `a right answer has more confidence than a wrong one in ${rightIsSurer ?? 'none'} of the pairs\n`,
        );
        for (const [least, { correct, total }] of Object.entries(atLeast)) {
          process.stdout.write(`of confidence ${least} or more: ${correct} of ${total} right\n`);
        }
      } finally {
        await live.close();
      }
    });
}

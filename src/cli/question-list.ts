/** The questions of `watch`: those on the command line, then those of a file. */
import { createReadStream } from 'node:fs';
import { YocoError } from '../errors.ts';
import { QUESTION_MAX_CHARS } from '../question-limits.ts';
import { systemReason } from '../system-code.ts';
import { readLines } from './input-lines.ts';

/** Maximum size of a file of questions, bytes. */
const MAX_BYTES = 2 ** 20;

/**
 * `file` has one question a line; blank lines and lines that begin with `#` are skipped. Throws `invalid_request` when
 * there is no question or the file cannot be read, `question_empty` and `question_too_long`.
 */
export async function readQuestions(given: readonly string[], file?: string): Promise<readonly string[]> {
  given.forEach((question) => {
    if (question.trim() === '') throw new YocoError('question_empty', { param: 'question' });
    checkLength(question, 'question', '');
  });
  const listed = file === undefined ? [] : await readQuestionFile(file);
  if (given.length + listed.length > 0) return [...given, ...listed];
  const detail =
    file === undefined
      ? 'Give a question in quotation marks, or a file of them with --questions.'
      : `--questions: there is no question in ${file}.`;
  throw new YocoError('invalid_request', { param: file === undefined ? 'question' : 'questions', detail });
}

async function readQuestionFile(file: string): Promise<string[]> {
  const questions: string[] = [];
  for (const [i, line] of (await linesOf(file)).entries()) {
    const question = line.trim();
    if (question === '' || question.startsWith('#')) continue;
    checkLength(question, 'questions', `--questions: line ${i + 1}. `);
    questions.push(question);
  }
  return questions;
}

async function linesOf(file: string): Promise<string[]> {
  try {
    return await readLines(createReadStream(file), '--questions', MAX_BYTES);
  } catch (cause) {
    if (cause instanceof YocoError) throw cause;
    const detail = `--questions: ${file} cannot be read (${systemReason(cause)}).`;
    throw new YocoError('invalid_request', { param: 'questions', detail, cause });
  }
}

function checkLength({ length }: string, param: string, where: string): void {
  if (length <= QUESTION_MAX_CHARS) return;
  const detail = `${where}It has ${length} characters; the limit is ${QUESTION_MAX_CHARS}.`;
  throw new YocoError('question_too_long', { param, detail });
}

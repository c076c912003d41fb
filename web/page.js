/** Connects the parts of the page: the stream and its picture, the moment, the questions, the dialogs. */
import { AnswerCard, AnswerList } from './answers.js';
import { createStream, deleteStream, listStreams, serviceNow, storedKey, storeKey } from './api.js';
import { Camera, hasCamera } from './camera.js';
import { EvidenceDialog } from './evidence-dialog.js';
import { FileStandingQuestions } from './file-standing.js';
import { bytes, clock, element, staleText, refreshTimes, unchangedText } from './format.js';
import { browserStore } from './browser-store.js';
import { Picture } from './picture.js';
import { Realtime } from './realtime.js';
import { QuestionHistory } from './question-history.js';
import { StandingCard } from './standing.js';

const EXAMPLE_QUESTIONS = [
  'What is shown now?',
  'What was shown first?',
  'What was shown 10 seconds ago?',
  'When did the dog appear?',
  'How many different things were shown?',
];
/** Unique to this browser: another one's camera shows other things. */
const CAMERA_STREAM = uniqueName('my-camera');
/** Interval of looking for a first stream, ms. */
const RELOAD_STREAMS_MS = 5_000;
/** Interval of refreshing the shown times, ms: from midnight on they need a date. */
const REFRESH_TIMES_MS = 60_000;
/** Interval of refreshing the age of the newest frame, ms: while no frame comes no event does so. */
const REFRESH_AGE_MS = 1_000;
/** Errors after which a question may be reworded. */
const REWORDABLE_ERRORS = ['time_out_of_range', 'invalid_request', 'question_too_long'];
/** States of a source that its error explains. */
const STATES_WITH_ERROR = ['reconnecting', 'failed', 'ended'];
const STATE_WORDS = {
  connecting: 'Connecting',
  open: 'Connected',
  waiting: 'Connection lost, trying again',
  closed: 'Not connected',
};

const $ = (id) => document.getElementById(id);
const realtime = new Realtime();
const camera = new Camera();
const answers = new AnswerList($('answers'));
const questionHistory = new QuestionHistory($('question'));
const fileQuestions = new FileStandingQuestions($('filed'));
const picture = new Picture($('picture'), $('blank'), () => ({
  name: $('stream').value,
  moment,
  isEmpty: status === null || status.first === null,
}));

/** The stream's last status, and the selected moment in seconds, or null for live. */
let status = null;
let moment = null;
let markedCard = null;
let reloadTimer = 0;
/** The stream that the page's address named when it was opened; null once a stream has been selected. */
let linkedStream = new URLSearchParams(location.search).get('stream');

// --- Streams ---

/** `base` and a random suffix that stays the same in this browser. */
function uniqueName(base) {
  const key = `yoco-live-${base}`;
  const letters = browserStore.get(key) ?? crypto.getRandomValues(new Uint16Array(1))[0].toString(16).padStart(4, '0');
  browserStore.set(key, letters);
  return `${base}-${letters}`;
}

/** `previousKey`: the key that a newly typed one replaced; restored if the new one is refused. */
async function loadStreams(wanted, previousKey) {
  clearTimeout(reloadTimer);
  let data, bundle, mayChange;
  try {
    ({ data, bundle, may_change: mayChange } = await listStreams());
  } catch (error) {
    if (error.status === 401) {
      const problem = storedKey() ? 'That key is not accepted.' : '';
      if (previousKey !== undefined) storeKey(previousKey);
      askForKey(problem);
    } else {
      showConnection('waiting');
      reloadTimer = setTimeout(() => void loadStreams(wanted, previousKey), 2_000);
    }
    return;
  }
  $('change-key').hidden = !storedKey();
  // A view key may only read and ask.
  $('add-stream').hidden = $('remove-stream').hidden = !mayChange;
  const candidates = [wanted, new URLSearchParams(location.search).get('stream'), $('stream').value, data[0]?.name];
  listNames(data, bundle);
  const exists = (candidate) => data.some((stream) => stream.name === candidate);
  const name = candidates.find(exists);
  $('link-problem').textContent =
    linkedStream && !exists(linkedStream) ? `There is no stream “${linkedStream.slice(0, 64)}”.` : '';
  if (name !== undefined) linkedStream = null;
  if (name === undefined) showNoStream();
  else selectStream(name);
}

function listNames(streams, { streams_per_question: maxStreams }) {
  const chosen = $('stream').value;
  $('stream').replaceChildren(
    ...streams.map(({ name, description }) =>
      element('option', { value: name, textContent: name, title: description ?? '' }),
    ),
  );
  if (streams.some(({ name }) => name === chosen)) $('stream').value = chosen;
  updateAllStreamsChoice(streams, maxStreams);
}

/** "All streams" means those with a frame; disabled if they are more than one question may read. */
function updateAllStreamsChoice(streams, maxStreams) {
  const shown = streams.filter(({ last }) => last !== null).length;
  const tooMany = shown > maxStreams;
  $('all-choice').hidden = streams.length < 2;
  $('all-words').textContent = `All streams (up to ${maxStreams})`;
  $('all-choice').title = tooMany ? `One question reads up to ${maxStreams} streams, and ${shown} have frames` : '';
  $('all-streams').disabled = tooMany;
  if ($('all-choice').hidden || tooMany) $('all-streams').checked = false;
}

/** Streams may be added and removed elsewhere. */
async function refreshNames() {
  const { data, bundle } = await listStreams().catch(() => ({ data: null }));
  const names = [...$('stream').options].map(({ value }) => value);
  if (data?.length > 0 && data.map(({ name }) => name).join() !== names.join()) listNames(data, bundle);
  else if (data !== null) updateAllStreamsChoice(data, bundle.streams_per_question);
}

function selectStream(name) {
  const listed = [...$('stream').options].some(({ value }) => value === name);
  // The stream may be newer than the list.
  if (!listed) $('stream').append(element('option', { value: name, textContent: name }));
  $('stream').value = name;
  const address = new URL(location.href);
  address.searchParams.set('stream', name);
  history.replaceState(null, '', address);
  document.title = `${name} – yoco-live`;
  status = null;
  picture.clear('Waiting for the first frame');
  $('remove-stream').disabled = false;
  mark(null);
  selectMoment(null);
  realtime.connect(name);
}

function showNoStream() {
  status = null;
  document.title = 'yoco-live';
  $('description').hidden = true;
  fileQuestions.refresh(null);
  realtime.close();
  $('remove-stream').disabled = true;
  $('moment').disabled = true;
  for (const fact of ['fact-source', 'fact-state', 'fact-frames', 'fact-memory']) $(fact).textContent = '–';
  mark(null);
  selectMoment(null);
  const hint = $('add-stream').hidden ? '' : ' Add a camera or a video by its address.';
  picture.clear(`No stream yet.${hint}`);
  showConnection('closed', 'No stream');
  reloadTimer = setTimeout(() => void loadStreams(), RELOAD_STREAMS_MS);
}

function showStatus(next) {
  // The stream was deleted; another may have its name by now.
  if (next.state === 'stopped') {
    fileQuestions.refresh(null);
    void loadStreams();
    return;
  }
  status = next;
  fileQuestions.refresh(next.name);
  const { first, last } = next;
  $('description').hidden = !next.description;
  $('fact-description').textContent = next.description ?? '';
  $('fact-source').textContent = next.source;
  // A source that plays again still reports its last error.
  const problem = STATES_WITH_ERROR.includes(next.state) ? next.error : null;
  const unchanged = unchangedText(next);
  const why = problem ? `: ${problem.message}` : unchanged && `, ${unchanged}`;
  $('fact-state').textContent = `${next.state}${why}`;
  $('fact-frames').textContent = `${next.frames.toLocaleString()} at ${next.fps} a second`;
  $('fact-memory').textContent = `${bytes(next.cache.bytes)} of ${bytes(next.cache.limit_bytes)}`;
  const slider = $('moment');
  slider.disabled = first === null;
  if (first === null) {
    $('first').textContent = $('last').textContent = '–:––';
    $('blank').textContent = problem ? $('fact-state').textContent : 'Waiting for the first frame';
    describeMoment();
    return;
  }
  slider.min = first;
  slider.max = last;
  // The slider may have had another stream's range when the moment was selected.
  slider.value = moment ?? last;
  $('first').textContent = clock(first);
  $('last').textContent = clock(last);
  drawMarks();
  describeMoment();
  if (moment === null || picture.needsPicture) void picture.show();
}

// --- The moment ---

function selectMoment(seconds) {
  moment = seconds;
  $('moment').value = seconds ?? status?.last ?? 0;
  describeMoment();
  void picture.show();
}

function describeMoment() {
  const live = moment === null;
  const isStanding = $('keep-asking').checked;
  const last = status?.last ?? null;
  $('screen').dataset.state = live ? 'live' : 'past';
  showBadge();
  $('clock').textContent = clock(live ? last : moment, !live);
  if (live && document.activeElement === $('to-live')) $('moment').focus({ preventScroll: true });
  $('to-live').disabled = live;
  $('when').dataset.past = String(!live && !isStanding);
  $('when').textContent = isStanding ? 'from now on' : live ? 'as of now' : `as of ${clock(moment, true)}`;
  $('moment').setAttribute('aria-valuetext', live ? `live, ${clock(last)}` : clock(moment, true));
}

function showBadge() {
  const text = badgeText();
  if ($('badge').textContent === text) return;
  $('badge').dataset.live = String(text === 'Live');
  $('badge').textContent = text;
}

function badgeText() {
  if (moment !== null) return 'Past';
  if (!realtime.isOpen || status === null) return 'Waiting';
  const old = staleText(status.last_time, serviceNow(), { fps: status.fps, recorded: status.recorded_at });
  if (status.state === 'playing') return old || 'Live';
  return old ? `${status.state}, ${old}` : status.state;
}

function mark(card) {
  markedCard = card;
  drawMarks();
}

/** Updates the marks after a card's evidence changed by itself, which must not take them from another card. */
function refreshMarks(card) {
  if (markedCard === null || markedCard === card) mark(card);
}

function drawMarks() {
  const { first, last } = status ?? {};
  const length = last - first;
  if (!markedCard || !(length > 0)) {
    $('marks').replaceChildren();
    return;
  }
  $('marks').replaceChildren(
    ...markedCard.evidence
      .filter(({ stream, end }) => stream === $('stream').value && end >= first)
      .map(({ start, end, weight }) => {
        const bar = element('i');
        bar.style.left = `${Math.max(0, ((start - first) / length) * 100)}%`;
        bar.style.width = `${((end - start) / length) * 100}%`;
        bar.style.opacity = String(0.35 + 0.65 * Math.min(1, weight * 2));
        return bar;
      }),
  );
}

// --- Questions ---

function submit(question) {
  if ($('keep-asking').checked) askStanding(question);
  else ask(question);
}

/** Makes the next question an ordinary one, asked once. */
function askOnce() {
  $('keep-asking').checked = false;
  describeMoment();
}

const chosenStream = () => ($('all-streams').checked ? null : $('stream').value);

/** `stream`: name of the stream to ask, whichever is shown; null for all. */
function ask(question, asOf = moment, stream = chosenStream()) {
  const text = question.trim();
  if (text === '' || !realtime.isOpen || status === null) return;
  const all = stream === null;
  const isOther = !all && stream !== $('stream').value;
  const followUp = $('follow-up').checked;
  // A question that is no follow-up starts a new conversation, so that the next can follow up on it. While the current
  // conversation is still answering, it is asked outside of it instead.
  const outOfBand = !followUp && answers.open.some((card) => card.inConversation);
  const card = new AnswerCard({ question: text, stream, asOf }, actions);
  answers.add(card);
  $('hint').hidden = true;
  const item = { id: itemOf(card), type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
  const response = {
    metadata: { card: card.id },
    yoco: {
      ...(asOf === null ? {} : { as_of: all ? wallTime(asOf) : asOf }),
      ...(all ? { streams: 'all' } : isOther ? { streams: [stream] } : {}),
    },
    ...(outOfBand ? { conversation: 'none', input: [item] } : {}),
  };
  card.inConversation = !outOfBand;
  if (!outOfBand && !followUp) realtime.send({ type: 'yoco.conversation.reset' });
  if (!outOfBand) realtime.send({ type: 'conversation.item.create', event_id: card.id, item });
  realtime.send({ type: 'response.create', event_id: card.id, response });
}

/** Always asks about now, whatever moment is selected. */
function askStanding(question) {
  const text = question.trim();
  if (text === '' || !realtime.isOpen || status === null) return;
  const card = new StandingCard({ question: text, stream: chosenStream(), asOf: null }, actions);
  answers.add(card);
  $('hint').hidden = true;
  realtime.send(card.request);
}

const itemOf = (card) => `item_${card.id}`;

/** Deletes a refused or failed question, so that it is not asked with the next one. */
function deleteQuestion(card) {
  if (card?.inConversation) realtime.send({ type: 'conversation.item.delete', item_id: itemOf(card) });
}

/** Each stream counts from its own start, so a moment in all of them is sent as wall time. */
function wallTime(seconds) {
  return new Date(Date.parse(status.started_at) + seconds * 1_000).toISOString();
}

const actions = {
  cancel(card) {
    if (card instanceof StandingCard) {
      realtime.send({ type: 'yoco.standing_question.delete', standing_question_id: card.id });
      card.halt();
    } else {
      card.cancelRequested = true;
      if (card.responseId) realtime.send({ type: 'response.cancel', response_id: card.responseId });
    }
  },
  askAgain(card) {
    if (card instanceof StandingCard) askOnce();
    ask(card.question, null, card.stream);
  },
  openEvidence(_card, span) {
    void evidence.show(span);
  },
  mark,
  refreshMarks,
};

const findByResponse = (id) => answers.find((card) => card.responseId === id);

realtime.addEventListener('response.created', ({ detail }) => {
  const card = answers.find(({ id }) => id === detail.response.metadata?.card);
  if (!card) return;
  card.responseId = detail.response.id;
  if (card.cancelRequested) actions.cancel(card);
});
realtime.addEventListener('response.output_text.delta', ({ detail }) => {
  findByResponse(detail.response_id)?.write(detail.delta);
});
realtime.addEventListener('response.done', ({ detail }) => {
  const card = findByResponse(detail.response.id);
  card?.finish(detail.response);
  if (detail.response.status === 'failed') deleteQuestion(card);
  if (card) announce(card);
});
realtime.addEventListener('error', ({ detail: { error } }) => {
  const card = answers.find(({ id, isOpen }) => isOpen && id === error.event_id);
  if (!card) return;
  if (card instanceof StandingCard) {
    endStanding(card, error);
    return;
  }
  const full = error.code === 'conversation_full';
  card.fail(full ? `${error.message} A new conversation was started: ask again.` : error.message);
  if (REWORDABLE_ERRORS.includes(error.code)) questionHistory.restore(card.question);
  announce(card);
  if (full) realtime.send({ type: 'yoco.conversation.reset' });
  else deleteQuestion(card);
});
realtime.addEventListener('lost', () => {
  for (const card of answers.open) {
    card.interrupt();
    // A standing question continues, so there is nothing to announce; each failed attempt to connect ends here, too.
    if (!(card instanceof StandingCard)) announce(card);
  }
  // The conversation is lost with the connection.
  $('follow-up').checked = false;
});

/** The service stopped asking: because of `error`, or, if that is null, because the video has ended. */
function endStanding(card, error) {
  card.end(error);
  if (!card.isOpen) announce(card, card.problem.textContent || 'The video has ended.');
}

const findStanding = (id) => answers.open.find((card) => card instanceof StandingCard && card.id === id);

realtime.addEventListener('yoco.standing_question.created', ({ detail }) => {
  findStanding(detail.standing_question.id)?.updateFigures();
});
realtime.addEventListener('yoco.standing_question.answered', ({ detail }) => {
  const card = findStanding(detail.standing_question_id);
  if (card?.update(detail)) announce(card);
});
realtime.addEventListener('yoco.standing_question.deleted', ({ detail }) => {
  const card = findStanding(detail.standing_question_id);
  if (card) endStanding(card, detail.error);
});

/** For screen readers. */
function announce(card, news = `${card.text.textContent}${card.problem.textContent}`) {
  $('announce').textContent = `${card.question} ${news}`;
}

// --- The connection ---

realtime.addEventListener('session.created', ({ detail }) => {
  const { stream } = detail.session.yoco;
  // The stream was started anew, so its seconds mean other moments now.
  if (status !== null && status.started_at !== stream.started_at) {
    mark(null);
    selectMoment(null);
  }
  showStatus(stream);
  realtime.send({ type: 'session.update', session: { yoco: { status: true } } });
  for (const card of answers.open) if (card instanceof StandingCard) realtime.send(card.request);
});
realtime.addEventListener('yoco.stream.status', ({ detail }) => showStatus(detail.stream));
realtime.addEventListener('yoco.go_away', () => {
  showConnection('waiting', 'The service is restarting');
  // Answers in progress continue; standing questions wait for the next connection.
  for (const card of answers.open) if (card instanceof StandingCard) card.interrupt();
});
realtime.addEventListener('state', ({ detail: { state, code } }) => {
  showConnection(state);
  if (code === 'unauthorized') askForKey(storedKey() ? 'That key is not accepted.' : '');
  if (code === 'stream_not_found') void loadStreams();
});

function showConnection(state, words = STATE_WORDS[state]) {
  $('connection').dataset.state = state;
  // Screen readers repeat text that is set again.
  if ($('connection').textContent !== words) $('connection').textContent = words;
  $('send').disabled = state !== 'open';
  for (const idea of $('ideas').children) idea.disabled = state !== 'open';
  describeMoment();
}

// --- Dialogs ---

function askForKey(problem) {
  // An open connection keeps the key that it has.
  if (!realtime.isOpen) showConnection('closed', 'A key is needed');
  // Still shown if the dialog is dismissed.
  if ($('picture').hidden) $('blank').textContent = 'A key is needed';
  showKeyDialog(problem);
}

function showKeyDialog(problem) {
  $('key-problem').textContent = problem;
  // The dialog may be dismissed with Esc; this button opens it again.
  $('change-key').hidden = false;
  if (!$('key-dialog').open) $('key-dialog').showModal();
}

$('key-form').addEventListener('submit', (event) => {
  const key = $('key').value.trim();
  $('key').value = '';
  if (!/^[\x21-\x7e]+$/.test(key)) {
    event.preventDefault();
    $('key-problem').textContent = 'A key has letters, digits and signs of ASCII only.';
    return;
  }
  const before = storedKey();
  storeKey(key);
  void loadStreams(undefined, before);
});

$('add-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const name = $('add-name').value.trim();
  if (await addStream({ name, source: { url: $('add-url').value.trim() } })) {
    $('add-form').reset();
    await loadStreams(name);
  }
});

/** True if the stream was created; otherwise the dialog says why not. */
async function addStream(definition) {
  $('add-problem').textContent = '';
  try {
    await createStream(definition);
  } catch (error) {
    $('add-problem').textContent = error.message;
    return false;
  }
  $('add-dialog').close();
  return true;
}

$('use-camera').hidden = !hasCamera;
$('use-camera').addEventListener('click', async () => {
  try {
    await camera.requestAccess();
  } catch (error) {
    $('add-problem').textContent = `The camera cannot be used: ${error.message}`;
    return;
  }
  const { data } = await listStreams().catch(() => ({ data: [] }));
  const exists = data.some(({ name }) => name === CAMERA_STREAM);
  if (!exists && !(await addStream({ name: CAMERA_STREAM, source: { push: true } }))) {
    camera.stop();
    return;
  }
  $('add-dialog').close();
  try {
    await camera.start(CAMERA_STREAM, (why) => {
      $('stop-camera').hidden = true;
      $('camera-problem').textContent = `My camera has stopped: ${why}`;
    });
  } catch (error) {
    camera.stop();
    $('stop-camera').hidden = true;
    $('camera-problem').textContent = `The camera cannot be used: ${error.message}`;
    await loadStreams(CAMERA_STREAM);
    return;
  }
  $('camera-problem').textContent = '';
  $('stop-camera').hidden = false;
  await loadStreams(CAMERA_STREAM);
});
$('stop-camera').addEventListener('click', () => {
  camera.stop();
  $('stop-camera').hidden = true;
});

const evidence = new EvidenceDialog($('frame-dialog'), (span) => {
  const same = span.stream === $('stream').value;
  if (!same) selectStream(span.stream);
  askOnce();
  // The picture's moment, from its wall time: the stream may have been started anew since the answer.
  selectMoment(same && status ? (Date.parse(span.peak_time) - Date.parse(status.started_at)) / 1_000 : span.peak);
  $('question').focus();
});

// --- Controls ---

$('stream').addEventListener('change', () => {
  $('link-problem').textContent = '';
  selectStream($('stream').value);
});
$('stream').addEventListener('focus', () => void refreshNames());
$('add-stream').addEventListener('click', () => {
  $('add-problem').textContent = '';
  $('add-dialog').showModal();
});
$('change-key').addEventListener('click', () => showKeyDialog(''));
$('remove-stream').addEventListener('click', async () => {
  const name = $('stream').value;
  if (!confirm(`Remove the stream “${name}” and all that it remembers?`)) return;
  try {
    await deleteStream(name);
  } catch (error) {
    // A stream that is gone already is no error.
    if (error.status !== 404) {
      alert(`The stream “${name}” cannot be removed: ${error.message}`);
      return;
    }
  }
  if (name === CAMERA_STREAM) $('stop-camera').click();
  await loadStreams();
});
$('moment').addEventListener('input', () => {
  const { value, max, step } = $('moment');
  // Less than one step from the newest frame is the slider's right end: live.
  selectMoment(Number(max) - Number(value) < Number(step) ? null : Number(value));
});
$('to-live').addEventListener('click', () => selectMoment(null));
$('keep-asking').addEventListener('change', () => describeMoment());
$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!realtime.isOpen) return;
  const question = $('question').value;
  questionHistory.add(question);
  $('question').value = '';
  submit(question);
  $('question').focus();
});
$('question').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('ask').requestSubmit();
});
for (const button of document.querySelectorAll('[data-close]')) {
  button.addEventListener('click', () => button.closest('dialog').close());
}
document.addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape') selectMoment(null);
  const typing = event.target instanceof Element && event.target.matches('input:not([type="range"]), textarea, select');
  if (event.key === '/' && !typing) {
    event.preventDefault();
    $('question').focus();
  }
});
$('ideas').append(
  ...EXAMPLE_QUESTIONS.map((idea) => {
    const button = element('button', {
      type: 'button',
      className: 'quiet small',
      textContent: idea,
      disabled: !realtime.isOpen,
    });
    button.addEventListener('click', () => submit(idea));
    return button;
  }),
);

setInterval(() => refreshTimes($('answers')), REFRESH_TIMES_MS);
setInterval(showBadge, REFRESH_AGE_MS);
void loadStreams();

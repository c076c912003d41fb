/** Connects the parts of the page: the stream and its picture, the moment, the questions, the dialogs. */
import { AddDialog } from './add-dialog.js';
import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { $ } from './elements.js';
import { EvidenceDialog } from './evidence-dialog.js';
import { refreshTimes } from './format.js';
import { KeyDialog } from './key-dialog.js';
import { MyCamera } from './my-camera.js';
import { Questions } from './questions.js';
import { Realtime } from './realtime.js';
import { ShownStream } from './shown-stream.js';
import { StreamList } from './stream-list.js';

/** Interval of refreshing the shown times, ms: from midnight on they need a date. */
const REFRESH_TIMES_MS = 60_000;
/** Interval of refreshing the age of the newest frame, ms: while no frame comes no event does so. */
const REFRESH_AGE_MS = 1_000;

const realtime = new Realtime();
const isConnected = () => realtime.isOpen;
const streamName = () => streams.selected;

const shown = new ShownStream({
  streamName,
  isConnected,
  onMoment: () => composer.showWhen(),
  onStopped: () => void streams.load(),
});
const composer = new Composer({
  submit: (question) => questions.submit(question),
  moment: () => shown.moment,
  isConnected,
});
const evidence = new EvidenceDialog($('frame-dialog'), askAbout);
const questions = new Questions({
  realtime,
  shown,
  composer,
  streamName,
  openEvidence: (span) => void evidence.show(span),
});
const keyDialog = new KeyDialog({
  onNeeded: showKeyNeeded,
  onKey: (previousKey) => void streams.load(undefined, previousKey),
});
const connection = new Connection({
  realtime,
  shown,
  composer,
  questions,
  keyDialog,
  onStreamGone: () => void streams.load(),
});
const streams = new StreamList({
  realtime,
  shown,
  composer,
  connection,
  keyDialog,
  onRemoved: (name) => myCamera.streamRemoved(name),
});
const onAdded = (name) => streams.load(name);
const myCamera = new MyCamera(new AddDialog(onAdded), onAdded);

/** Selects the moment of a piece of evidence, to ask about it. */
function askAbout(span) {
  const same = span.stream === streams.selected;
  if (!same) streams.select(span.stream);
  composer.askOnce();
  const { status } = shown;
  // The picture's moment, from its wall time: the stream may have been started anew since the answer.
  shown.selectMoment(same && status ? (Date.parse(span.peak_time) - Date.parse(status.started_at)) / 1_000 : span.peak);
  composer.focus();
}

function showKeyNeeded() {
  // An open connection keeps the key that it has.
  if (!realtime.isOpen) connection.show('closed', 'A key is needed');
  // Still shown if the dialog is dismissed.
  shown.explainMissingPicture('A key is needed');
}

for (const button of document.querySelectorAll('[data-close]')) {
  button.addEventListener('click', () => button.closest('dialog').close());
}
document.addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape') shown.selectMoment(null);
  const typing = event.target instanceof Element && event.target.matches('input:not([type="range"]), textarea, select');
  if (event.key === '/' && !typing) {
    event.preventDefault();
    composer.focus();
  }
});

setInterval(() => refreshTimes($('answers')), REFRESH_TIMES_MS);
setInterval(() => shown.showBadge(), REFRESH_AGE_MS);
void streams.load();

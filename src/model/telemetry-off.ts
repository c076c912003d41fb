/**
 * Since 1.30, ONNX Runtime reports to Microsoft from each process that loads it: it keeps a file of events with a
 * machine id in the user's cache folder and sends them over HTTPS (onnxruntime/core/platform/posix/telemetry.cc). It
 * reads this variable when the library is loaded. A value that is already set stays. Setting it in a worker thread has
 * no effect: set it for the process instead.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';

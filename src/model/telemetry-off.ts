/**
 * From 1.30 on ONNX Runtime reports to Microsoft from each process that loads it: it keeps a file of events with an id
 * of the machine in the user's cache folder, and sends them over HTTPS. The variable is read when the library is
 * loaded, and what somebody has set stays. (In a worker thread this would not reach it: set the variable for the
 * process there.) Found in its source: onnxruntime/core/platform/posix/telemetry.cc.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';

/** ONNX Runtime. Always import it from here: `telemetry-off.ts` must be loaded first. */
import './telemetry-off.ts';
export { InferenceSession, Tensor } from 'onnxruntime-node';

/** ONNX Runtime. Whoever uses it takes it from here, since it must not be loaded before `telemetry-off.ts`. */
import './telemetry-off.ts';
export { InferenceSession, Tensor } from 'onnxruntime-node';

/**
 * A Vulkan device in software, to test the GPU path on machines without a GPU: SwiftShader, which comes with Chromium.
 */
import { existsSync } from 'node:fs';

const DRIVERS = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/usr/lib64/chromium-browser/vk_swiftshader_icd.json'];

/** Makes this process and its children use it; call it before a model is loaded. Returns false where there is none. */
export function useSoftwareGpu(): boolean {
  const driver = process.env['VK_DRIVER_FILES'] ?? DRIVERS.find((file) => existsSync(file));
  if (driver === undefined) return false;
  process.env['VK_DRIVER_FILES'] = driver;
  return true;
}

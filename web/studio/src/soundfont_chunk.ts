import {WorkletSynthesizer} from 'spessasynth_lib';
import processor from 'base64:../node_modules/spessasynth_lib/dist/spessasynth_processor.min.js';

window.continuoChunk?.({WorkletSynthesizer, processor});

import {OpenSheetMusicDisplay} from 'opensheetmusicdisplay';

window.continuoChunk?.(OpenSheetMusicDisplay);

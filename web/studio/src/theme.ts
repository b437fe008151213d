import {pageTheme} from '../../common/theme.js';

export const {isDark, onTheme, switchTheme} = pageTheme('continuo-studio:theme');

import js from '@eslint/js'
import globals from 'globals'

export default [
  { ignores: ['index.cjs'] },
  js.configs.recommended,
  { files: ['index.js'], languageOptions: { globals: globals['shared-node-browser'] } },
  { files: ['tests/*.js'], languageOptions: { globals: globals.node } },
]

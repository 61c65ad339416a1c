/** Puts the page into its document. */
import { render } from 'preact';
import { App } from './app.tsx';

const root = document.querySelector('#page');
if (root === null) throw new Error('internal: the document has no #page');
root.replaceChildren();
render(<App />, root);

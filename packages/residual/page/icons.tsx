/** The page's few pictograms; they say nothing that the words beside them do not. */

import type { ComponentChildren } from 'preact';

function Icon({ children, large = false }: { readonly children: ComponentChildren; readonly large?: boolean }) {
  return (
    <svg class={large ? 'icon large' : 'icon'} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const PictureIcon = () => (
  <Icon large>
    <rect x="3" y="4.5" width="18" height="15" rx="3" />
    <circle cx="8.5" cy="9.5" r="1.6" />
    <path d="m4 17 4.6-4.3a1.6 1.6 0 0 1 2.2 0L13 14.8l2.2-2a1.6 1.6 0 0 1 2.2 0L21 16" />
  </Icon>
);

export const FileIcon = () => (
  <Icon>
    <path d="M3.5 18V7a2 2 0 0 1 2-2h3.6l2.2 2.4h7.2a2 2 0 0 1 2 2V18a2 2 0 0 1-2 2h-13a2 2 0 0 1-2-2Z" />
  </Icon>
);

export const PasteIcon = () => (
  <Icon>
    <rect x="5" y="5" width="14" height="15.5" rx="2.4" />
    <path d="M9 5.4V4.6c0-.9.7-1.6 1.6-1.6h2.8c.9 0 1.6.7 1.6 1.6v.8M9 12h6M9 16h4" />
  </Icon>
);

export const CameraIcon = () => (
  <Icon>
    <path d="M3.5 17.5v-8a2 2 0 0 1 2-2h2L9 5h6l1.5 2.5h2a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-13a2 2 0 0 1-2-2Z" />
    <circle cx="12" cy="13" r="3.4" />
  </Icon>
);

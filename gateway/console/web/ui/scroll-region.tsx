import type { ComponentChildren } from 'preact'

interface ScrollRegionProps {
  /** What it holds, for screen readers. */
  readonly label: string
  readonly class: string
  readonly dir?: 'auto'
  readonly children: ComponentChildren
}

/** Something that scrolls inside its panel, and so has to be reached by the keyboard (WCAG 2.1.1). */
export function ScrollRegion({ label, class: classes, dir, children }: ScrollRegionProps) {
  return (
    // A landmark for each table would be too many of them, and it is no set of fields: a group. The first rule knows no scrolling.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it nobody scrolls it by the keyboard
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls
    <div class={classes} role="group" aria-label={label} tabIndex={0} dir={dir}>
      {children}
    </div>
  )
}

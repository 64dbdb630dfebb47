/** One bar, in as many parts as the chart has series. */
export interface Bar {
  readonly label: string
  /** In the order of the series. */
  readonly parts: readonly number[]
  /** What stands at the right end of its line. */
  readonly note: string
  /** It is what the chart is about. */
  readonly isMarked: boolean
}

/** Bars that are compared with one another, drawn to one scale of their own. */
export interface Panel {
  /** Empty for none. */
  readonly title: string
  readonly bars: readonly Bar[]
}

export interface Chart {
  readonly title: string
  /** What the lengths mean, with their unit. */
  readonly subtitle: string
  /** Stands behind the sum of a bar. */
  readonly unit: string
  readonly series: readonly string[]
  /** Heads the notes. */
  readonly noteTitle: string
  readonly panels: readonly Panel[]
  /** Small print. */
  readonly footer: string
}

const WIDTH = 760
const MARGIN = 28
/** What a letter takes at most, and a line's sum and note beside its bar. Nothing here can measure text. */
const LETTER = 7.9
const FIGURES = 196
const ROW = 30
const BAR = 16
const PANEL_GAP = 20
const TITLE = 30
// Told apart by those who see no red or green, and on white and black (after Okabe and Ito).
const STYLE = `
    text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #1f2328 }
    .card { fill: #ffffff; stroke: #d8dee4 } .track { fill: #f1f4f7 } .rule { stroke: #d8dee4 }
    .title { font-size: 17px; font-weight: 600 } .strong { font-weight: 600 } .muted { fill: #59636e }
    .head { font-size: 12px; font-weight: 600; fill: #59636e } .small { font-size: 11.5px; fill: #59636e }
    .end { text-anchor: end } .s0 { fill: #2a78d6 } .s1 { fill: #1a9e77 } .s2 { fill: #e79f1e } .s3 { fill: #8e63ce }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .card { fill: #0d1117; stroke: #30363d } .track { fill: #171d25 } .rule { stroke: #30363d }
      .muted, .head, .small { fill: #9198a1 }
      .s0 { fill: #5b9df0 } .s1 { fill: #35b58c } .s2 { fill: #e3a73f } .s3 { fill: #a988e0 }
    }`

/** Draws horizontal bars as an SVG that follows the reader's light or dark mode and needs nothing else. */
export function toBarChart({ title, subtitle, unit, series, noteTitle, panels, footer }: Chart): string {
  const parts: string[] = []
  const letters = Math.max(...panels.flatMap(({ bars }) => bars.map(({ label }) => label.length)))
  const x = Math.round(MARGIN + letters * LETTER + 14)
  const width = WIDTH - MARGIN - FIGURES - x
  let y = MARGIN + 14
  parts.push(toText(MARGIN, y, title, 'title'), toText(MARGIN, y + 22, subtitle, 'muted'))
  y += 50
  parts.push(toLegend(series, y), toText(WIDTH - MARGIN, y, noteTitle, 'head end'))
  y += 14

  for (const [index, panel] of panels.entries()) {
    if (index > 0) y += PANEL_GAP
    parts.push(`<line class="rule" x1="${MARGIN}" x2="${WIDTH - MARGIN}" y1="${y}" y2="${y}"/>`)
    y += 8
    if (panel.title) parts.push(toText(MARGIN, y + 16, panel.title, 'head'))
    if (panel.title) y += TITLE - 4
    const longest = Math.max(...panel.bars.map(({ parts }) => sum(parts)))
    for (const bar of panel.bars) {
      parts.push(toBar(bar, { x, y, width, longest, unit, id: `b${parts.length}` }))
      y += ROW
    }
  }
  y += 26
  parts.push(...footer.split('\n').map((line, index) => toText(MARGIN, y + index * 17, line, 'small')))
  const height = y + footer.split('\n').length * 17 + MARGIN - 20
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
  <title>${toXml(title)}</title>
  <desc>${toXml(`${subtitle}. ${panels.flatMap(({ bars }) => bars.map(bar => describe(bar, unit))).join('; ')}`)}</desc>
  <style>${STYLE}
  </style>
  <rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="10"/>
  ${parts.join('\n  ')}
</svg>
`
}

interface Place {
  readonly x: number
  readonly y: number
  /** Of the longest bar, whose sum is `longest`. */
  readonly width: number
  readonly longest: number
  readonly unit: string
  /** Of its rounded shape. */
  readonly id: string
}

function toBar({ label, parts, note, isMarked }: Bar, { x, y, width, longest, unit, id }: Place): string {
  const all = sum(parts)
  const scale = longest > 0 ? width / longest : 0
  const [top, base] = [y + (ROW - BAR) / 2, y + ROW / 2 + 4.5]
  const weight = isMarked ? 'strong' : ''
  const rects = parts.map((value, index) => {
    const left = x + sum(parts.slice(0, index)) * scale
    return `<rect class="s${index}" x="${round(left)}" y="${top}" width="${round(value * scale)}" height="${BAR}"/>`
  })
  return [
    toText(MARGIN, base, label, weight),
    `<rect class="track" x="${x}" y="${top}" width="${width}" height="${BAR}" rx="4"/>`,
    `<clipPath id="${id}"><rect x="${x}" y="${top}" width="${round(Math.max(all * scale, 1))}" height="${BAR}" rx="4"/></clipPath>`,
    `<g clip-path="url(#${id})">${rects.join('')}</g>`,
    toText(x + width + 12, base, all > 0 ? `${toNumber(all)} ${unit}` : 'void', weight),
    toText(WIDTH - MARGIN, base, note, 'muted end')
  ].join('\n  ')
}

function toLegend(series: readonly string[], y: number): string {
  let x = MARGIN
  return series
    .map((name, index) => {
      const item = `<rect class="s${index}" x="${x}" y="${y - 10}" width="11" height="11" rx="2.5"/>${toText(x + 17, y, name, 'muted')}`
      x += 17 + name.length * LETTER + 14
      return item
    })
    .join('')
}

function toText(x: number, y: number, text: string, style: string): string {
  return `<text x="${round(x)}" y="${round(y)}"${style ? ` class="${style}"` : ''}>${toXml(text)}</text>`
}

function describe({ label, parts, note }: Bar, unit: string): string {
  return `${label}: ${toNumber(sum(parts))} ${unit}, ${note}`
}

function toNumber(value: number): string {
  const digits = value >= 100 ? 0 : 1
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function toXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

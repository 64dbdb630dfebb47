import { render } from 'preact'
import { App } from './app.tsx'

const host = document.getElementById('app')
if (host) render(<App />, host)

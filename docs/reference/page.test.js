// Checks the built page in Chromium: that it needs no other host, that it is accessible, and that its links and those of
// errors lead into it.
const assert = require('node:assert/strict')
const { readFile } = require('node:fs/promises')
const { createServer } = require('node:http')
const { join } = require('node:path')
const { after, before, test } = require('node:test')
const { chromium } = require('playwright-core')

const SITE = join(__dirname, '../../target/reference')
const OPERATIONS = ['listgroups', 'creategroup', 'getgroup', 'updategroup', 'deletegroup']
const SECTIONS = ['', '#/section/invalid_request', ...OPERATIONS.map(name => `#/groups/${name}`)]

let server, base, browser

before(async () => {
  // Serves files as GitHub Pages does: a folder is its index.html.
  server = createServer(async (request, response) => {
    const path = new URL(request.url, base).pathname
    const folder = path.endsWith('/') ? path : `${path}/`
    const page = await readFile(join(SITE, folder, 'index.html')).catch(() => undefined)
    const headers = path === folder ? { 'content-type': 'text/html' } : { location: folder }
    response.writeHead(page ? (path === folder ? 200 : 301) : 404, headers).end(page)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${server.address().port}`
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM })
})

after(async () => {
  await browser?.close()
  server.close()
})

// Opens a page. Returns it with the hosts that it requests files from, even if its policy blocks these requests.
async function open(url, options = {}) {
  const page = await browser.newPage(options)
  page.setDefaultTimeout(10_000)
  const hosts = new Set()
  page.on('request', request => hosts.add(new URL(request.url()).host))
  await page.goto(url)
  await page.getByRole('heading').first().waitFor()
  await page.waitForLoadState('networkidle')
  return { page, hosts }
}

for (const [width, colorScheme] of [[1400, 'light'], [390, 'light'], [1400, 'dark']]) {
  test(`the page is accessible, fits and stands alone at ${width} pixels, ${colorScheme}`, async () => {
    for (const section of SECTIONS) {
      const { page, hosts } = await open(`${base}/${section}`, { colorScheme, viewport: { width, height: 1000 } })
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), section)
      await page.addScriptTag({ path: require.resolve('axe-core') })
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run())
      const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
      const found = serious.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
      assert.deepEqual(found, [], section)
      assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'axe checked the page')
      assert.deepEqual([...hosts].filter(host => host), [new URL(base).host], section)
      await page.close()
    }
  })
}

// Opens a link in a new document, and waits until the element that it names is in view.
async function follow(link, id) {
  const { page } = await open(link, { viewport: { width: 1400, height: 1000 } })
  const element = await page.waitForSelector(`[id="${id}"]`, { state: 'attached' })
  await page.waitForFunction(element => {
    const { top } = element.getBoundingClientRect()
    return top > -1 && top < innerHeight
  }, element)
  await page.close()
}

test('the link of each error leads to the section about its type', async () => {
  const openapi = await readFile(join(__dirname, '../../openapi.yaml'), 'utf8')
  const links = new Set(openapi.match(/https:\/\/protocol\.chat\/docs\/errors\/\w+/g))
  assert.equal(links.size, 2)
  for (const link of links) {
    await follow(link.replace('https://protocol.chat/docs', base), `section/${link.split('/').at(-1)}`)
  }
})

test('every link leads to another site or into the page', async () => {
  const links = new Set()
  for (const section of SECTIONS) {
    const { page } = await open(`${base}/${section}`, { viewport: { width: 1400, height: 1000 } })
    const found = await page.locator('a[href]').evaluateAll(all => all.map(link => link.getAttribute('href')))
    for (const link of found.filter(link => !link.startsWith('https:'))) {
      assert.match(link, /^#\//)
      // `#/OPERATION#ID` leads to a part of an operation, which is on the same page.
      const [, path, part] = link.split('#')
      links.add(`#${path}`)
      assert.equal(await page.locator(`[id="${part ?? 'redoc'}"]`).count(), 1, link)
    }
    await page.close()
  }
  assert.ok(links.size > 15)
  for (const link of links) {
    await follow(`${base}/${link}`, link.replace('#/', '') || 'redoc')
  }
})

test('every operation has samples in four languages', async () => {
  for (const operation of OPERATIONS) {
    const { page } = await open(`${base}/#/groups/${operation}`, { viewport: { width: 1400, height: 1000 } })
    await page.getByRole('button', { name: 'curl', exact: true }).first().click()
    const menu = await page.getByRole('menu').first().innerText()
    const labels = menu.split('\n').filter(line => line).slice(0, 4)
    assert.deepEqual(labels, ['curl', 'JavaScript', 'Python', 'PHP'], operation)
    await page.close()
  }
})

test('the page describes every code with its status code', async () => {
  const openapi = await readFile(join(__dirname, '../../openapi.yaml'), 'utf8')
  const codes = openapi.match(/ {4}ErrorCode:\n[^]*?maxLength/)[0].match(/(?<=`)\w+(?=`)/g)
  const { page } = await open(`${base}/`)
  const text = await page.locator('body').innerText()
  assert.ok(codes.length > 10)
  assert.deepEqual(codes.filter(code => !new RegExp(`\\b[45]\\d\\d ${code}: `).test(text)), [])
  await page.close()
})

package browser_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"floaty/providers/simulator"
)

func TestAFailoverIsSeenWithoutReloadingThePage(t *testing.T) {
	e := newEnv(t)
	e.start(e.a)
	e.start(e.b)
	pageA, pageB := e.open(e.a), e.open(e.b)

	e.say(e.a, "MASTER")
	e.say(e.b, "BACKUP")
	pageA.seesAddress(one, "in place", "this server")
	pageA.sees("#ready", "✓ Ready")
	pageA.sees("#instances", instance, "MASTER")
	pageA.sees("#summary", "2 of 2")
	pageB.seesAddress(one, "standby", e.a.UUID)
	pageB.sees("#instances", "BACKUP")

	e.say(e.a, "BACKUP")
	e.say(e.b, "MASTER")
	pageB.seesAddress(one, "in place", "this server")
	pageB.seesAddress(two, "in place", "this server")
	pageB.sees("#events", "MASTER", one.String())
	pageA.sees("#instances", "BACKUP")
	pageA.seesAddress(one, "standby", e.b.UUID)

	pageA.unreloaded()
	pageB.unreloaded()
}

func TestAContestedAddressIsFirstAndHasItsOwnColour(t *testing.T) {
	e := newEnv(t)
	const thief = "99999999-9999-4999-8999-999999999999"
	e.Cloud.AddServer(thief, "thief")
	e.start(e.a)
	p := e.open(e.a)
	e.say(e.a, "MASTER")
	p.seesAddress(one, "in place")

	p.until(func() (string, bool) {
		if slices.Equal(e.Cloud.Holders(one), []string{e.a.UUID}) {
			e.Cloud.Move(one, thief)
		}
		text := p.text(p.row(one))
		return fmt.Sprintf("the row of %s is %q, want it to contain contested", one, text), strings.Contains(text, "contested")
	})
	p.sees("#summary", "1 contested")
	p.sees("#events", "contest")
	if first := eval[string](p, `document.querySelector("#addresses tr th").innerText`); !strings.HasPrefix(first, one.String()) {
		t.Errorf("the first row is that of %q, want the contested one, %s", first, one)
	}
	ground := `getComputedStyle(document.querySelector(%q)).backgroundColor`
	fine := eval[string](p, fmt.Sprintf(ground, p.row(two)+" .badge"))
	if contested := eval[string](p, fmt.Sprintf(ground, p.row(one)+" .badge")); contested == fine {
		t.Errorf("a contested address has the colour of one in place: %s", fine)
	}
	p.unreloaded()
}

func TestThePageShowsThatFloatyIsNotReadyAndWhy(t *testing.T) {
	e := newEnv(t)
	e.start(e.a)
	p := e.open(e.a)
	p.sees("#ready", "✗ Not ready")
	e.say(e.a, "BACKUP")
	p.sees("#ready", "✓ Ready")

	e.Cloud.Fail(simulator.Fault{Method: http.MethodGet, Status: http.StatusServiceUnavailable})
	p.sees("#ready", "✗ Not ready", "503")
	e.Cloud.ClearFaults()
	p.sees("#ready", "✓ Ready")

	e.must(e.a.Configure("floaty.yml", "provider: nobody\n"))
	p.sees("#trouble", "configuration", "provider")
	p.unreloaded()
}

func TestThePageShowsThatItHasLostFloaty(t *testing.T) {
	e := newEnv(t)
	e.start(e.a)
	p := e.open(e.a)
	e.say(e.a, "MASTER")
	p.seesAddress(one, "in place")

	e.a.StopFloaty()
	p.sees("#lost", "Out of touch")
	if text := p.text("#ready"); text != "" {
		t.Errorf("out of touch, the page still shows %q", text)
	}
	if text := p.text(p.row(one)); !strings.Contains(text, "in place") {
		t.Errorf("out of touch, the row of %s is %q, want the last known state", one, text)
	}
	e.start(e.a)
	p.until(func() (string, bool) {
		lost := p.text("#lost")
		return fmt.Sprintf("floaty is back, but the page still shows %q", lost), lost == ""
	})
	p.unreloaded()
}

// Names come from keepalived.conf and messages from the API; neither may become markup.
func TestMarkupInNamesAndMessagesIsInert(t *testing.T) {
	e := newEnv(t)
	const (
		hostile = `<img/src=x/onerror=window.hacked=1>`
		answer  = `{"detail":"</td><script>window.hacked=1</script>\u001b[31m\u202e<a/href=javascript:window.hacked=1>"}`
	)
	conf := strings.ReplaceAll(e.a.Keepalived(100, "", one, two), instance, hostile)
	e.must(e.a.Configure("keepalived.conf", conf))
	e.start(e.a)
	p := e.open(e.a)
	e.must(e.a.Say(`INSTANCE "` + hostile + `" MASTER 100`))
	p.sees("#instances", "img/src=x/onerror", "MASTER")
	p.seesAddress(one, "in place", "img/src=x/onerror")

	e.Cloud.Fail(simulator.Fault{Status: http.StatusForbidden, Body: answer})
	p.sees("main", "403", "script")

	p.inert()
	if text := p.text("main"); strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("the page shows characters that control terminals or reverse text: %q", text)
	}
	p.unreloaded()
}

// inert checks that no name has become an element and that no script in a name has run.
func (p *page) inert() {
	p.Helper()
	if eval[bool](p, `window.hacked === 1`) {
		p.Error("a script from a name was run")
	}
	if foreign := eval[string](p, `Array.from(document.querySelectorAll("img, main script, iframe, body a, [onerror]"), e => e.outerHTML).join()`); foreign != "" {
		p.Errorf("names have become elements: %s", foreign)
	}
}

// withMarkup puts markup into every text of a status. The daemon escapes names already; the page must not rely on that.
const withMarkup = `{
	const real = window.fetch, hostile = "<img src=x onerror='window.hacked=1'>";
	const spoil = (v, key) => typeof v === "string" ? (/^\d{4}-\d\d-/.test(v) ? v : hostile + key)
		: Array.isArray(v) ? v.map(e => spoil(e, key))
		: v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, e]) => [k, spoil(e, k)])) : v;
	window.fetch = async (...args) => {
		const answer = await real(...args);
		const status = spoil(await answer.json(), "");
		Object.assign(status, {ready: false, not_ready: [hostile + "not_ready"]});
		status.config.error = hostile + "config.error";
		for (const a of status.addresses) Object.assign(a, {contested: true, rival: hostile + "rival", error: hostile + "error", targets: [hostile + "target"]});
		return new Response(JSON.stringify(status), {headers: answer.headers});
	};
}; true`

func TestThePageEscapesMarkupEvenIfTheDaemonDoesNot(t *testing.T) {
	e := newEnv(t)
	e.start(e.a)
	p := e.open(e.a)
	e.say(e.a, "MASTER")
	p.seesAddress(one, "in place")
	eval[bool](p, withMarkup)
	const hostile = `<img src=x onerror='window.hacked=1'>`
	p.sees("#ready", hostile+"not_ready")
	p.sees("#trouble", hostile+"config.error")
	p.sees("#instances", hostile+"name", hostile+"state")
	p.sees("#addresses", hostile+"address", hostile+"instances", hostile+"target", hostile+"rival", hostile+"error")
	p.sees("#events", hostile+"kind", hostile+"instance", hostile+"from")
	p.sees("#about", hostile+"provider", hostile+"version", hostile+"id")
	p.sees("h1", hostile+"name")
	p.inert()
	p.unreloaded()
}

// tooWide returns the elements that extend beyond the window.
const tooWide = `Array.from(document.querySelectorAll("main *")).filter(e => e.offsetParent !== null && !e.closest("thead") &&
	e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(e => e.tagName + " " + e.innerText).slice(0, 3).join("; ")`

// contrast returns the lowest contrast ratio between a text and its background (formula of WCAG 2), and that text.
const contrast = `(() => {
	const parse = text => text.match(/[\d.]+/g).map(Number);
	const light = rgb => rgb.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
	let worst = {ratio: 21, text: ""};
	for (const e of document.querySelectorAll("main *")) {
		if (e.offsetParent === null || !Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim())) continue;
		const a = light(parse(getComputedStyle(e).color)), b = light(ground(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < worst.ratio) worst = {ratio, text: e.innerText};
	}
	return worst;
})()`

// The screenshots are kept in .cache/screenshots for people to check.
func TestThePageIsReadableLightAndDarkAndOnAPhone(t *testing.T) {
	e := newEnv(t)
	const other = "99999999-9999-4999-8999-999999999999"
	e.Cloud.AddServer(other, "other")
	e.start(e.a)
	p := e.open(e.a)
	e.say(e.a, "MASTER")
	p.seesAddress(one, "in place")
	e.Cloud.Fail(simulator.Fault{Method: http.MethodPatch, Path: two.String(), Status: http.StatusForbidden, Body: `{"detail":"You do not have permission to perform this action."}`})
	e.Cloud.Move(two, other)
	p.seesAddress(two, "not in place", "403")
	p.sees("#trouble", "does not point here")

	dir := "../../.cache/screenshots"
	e.must(os.MkdirAll(dir, 0o750))
	for _, view := range []struct {
		name   string
		scheme string
		width  int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"phone", "light", 390}, {"phone-dark", "dark", 390}} {
		run(p, chromedp.EmulateViewport(view.width, 844))
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: view.scheme}}}
		if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		e.must(os.WriteFile(filepath.Join(dir, view.name+".png"), run(p, chromedp.FullScreenshot(100)), 0o600))
		if wide := eval[string](p, tooWide); wide != "" {
			t.Errorf("%s: wider than the window of %d pixels: %s", view.name, view.width, wide)
		}
		type worst struct {
			Ratio float64 `json:"ratio"`
			Text  string  `json:"text"`
		}
		if worst := eval[worst](p, contrast); worst.Ratio < 4.5 {
			t.Errorf("%s: %q has a contrast of %.2f, want 4.5 (WCAG 2, AA)", view.name, worst.Text, worst.Ratio)
		}
	}
	p.unreloaded()
}

package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"unicode"
)

func TestMessageIsOneShortLine(t *testing.T) {
	for body, want := range map[string]string{
		"":                                "",
		"Bad\tGateway\r\n":                "Bad Gateway",
		"\x1b[31mred\x00\u202etfel\n":     "[31mred tfel",
		"caf\xe9":                         "caf",
		"a\u009b1A\u0085b\x7fc":           "a 1A b c", // C1, DEL
		"a\u202a\u202d\u2066\u2069b":      "a b",      // bidirectional controls
		"a\u200e\u200f\u061cb":            "a b",
		"a\u2028b\u2029c\ufeffd":          "a b c d",
		`{"a\u001b]0;x": "\u202e\u009b"}`: "a ]0;x:",
		`{"detail": "Invalid token."}`:    "detail: Invalid token.",
		`{"server": ["Object with uuid x does not exist.", "No."]}`:       "server: Object with uuid x does not exist., No.",
		`{"b": {"c": null}, "a": [1.5, true]}`:                            "a: 1.5, true, b: c: null",
		`{"broken": "json`:                                                `{"broken": "json`,
		"<html><head><TITLE lang=en>502 Bad&nbsp;Gateway</TITLE></head>x": "502 Bad Gateway",
		"\n<!DOCTYPE html><h1>Sorry</h1>we are &lt;down&gt;<br>":          "Sorry we are <down>",
		"<title>never closed":                                             "never closed",
		"<title":                                                          "",
		"a < b":                                                           "a < b",
		strings.Repeat("ä", 200):                                          strings.Repeat("ä", 150) + "…",
		strings.Repeat("a", maxMessage):                                   strings.Repeat("a", maxMessage),
		"a" + strings.Repeat("ä", 150):                                    "a" + strings.Repeat("ä", 149) + "…",
	} {
		if got := message([]byte(body), secrets{"", token}); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}

func TestCredentialIsRedactedFromMessages(t *testing.T) {
	for name, body := range map[string]string{
		"plain":                     "bad token " + token,
		"header":                    "Authorization: Bearer " + token,
		"JSON":                      `{"` + token + `": ["` + token + `"]}`,
		"escaped JSON":              `{"detail": "\u0073` + token[1:] + `"}`,
		"page":                      "<title>" + token + "</title>",
		"entity":                    "<title>&#115;" + token[1:] + "</title>",
		"split by a tag":            "<p>" + token[:4] + "<b>" + token[4:],
		"twice":                     token + token,
		"cut at the end":            strings.Repeat("a", maxMessage-5) + token,
		"cut by the bound":          strings.Repeat(" ", maxError-5) + token,
		"after a control character": token + "\x00" + token,
	} {
		a := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(body))
		})
		_, err := call(t, a.client, http.MethodGet, a.URL)
		if err == nil || strings.Contains(err.Error(), token[:5]) {
			t.Errorf("%s: got %v, want an error without the credential", name, err)
		}
	}
}

func TestCredentialIsRedactedFromRedirects(t *testing.T) {
	for location, want := range map[string]string{
		"":                               "a redirect to nowhere",
		"https://a.example/b?t=" + token: "a redirect to https://a.example/b, which is not followed",
		"https://u:" + token + "@a.example/b#" + token: "a redirect to https://a.example/b, which is not followed",
		"/%73" + token[1:]: "a redirect to /[credential], which is not followed",
		":" + token:        "a redirect to nowhere",
	} {
		if got := redirected(location, secrets{token}); got != want {
			t.Errorf("%q: got %q, want %q", location, got, want)
		}
	}
}

// net/http quotes an answer that is not valid HTTP in its error.
func TestCredentialIsRedactedFromProtocolErrors(t *testing.T) {
	a := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 " + r.Header.Get("Authorization") + "\r\n\r\n"))
		_ = conn.Close()
	})
	_, err := call(t, a.client, http.MethodGet, a.URL)
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("got %v, want an error without the credential", err)
	}
}

func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		"", token, `{"a": ["` + token + `"]}`, "<title>x</title>", "<b>" + token[:4] + "</b>" + token[4:], "\xff\x00\u2028",
		strings.Repeat("ä", maxMessage), "<\u212atitle>x</title>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := message(body, secrets{token})
		if strings.Contains(got, token) {
			t.Errorf("%q: got %q, want no credential in it", body, got)
		}
		if len(got) > maxMessage+len("…") {
			t.Errorf("%q: got %d bytes, want at most %d", body, len(got), maxMessage)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: got %q, want no %q in it", body, got, r)
			}
		}
	})
}

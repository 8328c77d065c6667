package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SetKey makes Exoscale's API accept what is signed with key and secret, in addition to earlier keys. The empty
// secret takes the key away. Without any key the API demands no signature, as a new cloud does.
func (c *Cloud) SetKey(key, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[key] = secret
	if secret == "" {
		delete(c.keys, key)
	}
}

// accepts reports whether a request carries the signature of one of the keys, not yet expired, such as
//
//	EXO2-HMAC-SHA256 credential=KEY,signed-query-args=ip-address,expires=1700000000,signature=BASE64
//
// The signature is that of method and path, body, values of the query's arguments, headers (none) and expiry, a line each
// (egoscale's signRequest). How far ahead the real API lets the expiry lie is not known.
func (c exoscale) accepts(r *http.Request, body []byte) bool {
	if len(c.keys) == 0 {
		return true
	}
	fields, signed := strings.CutPrefix(r.Header.Get("Authorization"), "EXO2-HMAC-SHA256 ")
	said := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(field, "=")
		said[name] = value
	}
	secret, known := c.keys[said["credential"]]
	expires, err := strconv.ParseInt(said["expires"], 10, 64)
	if !signed || !known || err != nil || expires <= time.Now().Unix() {
		return false
	}
	var values strings.Builder
	for name := range strings.SplitSeq(said["signed-query-args"], ";") {
		values.WriteString(r.URL.Query().Get(name))
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{
		r.Method + " " + r.URL.EscapedPath(), string(body), values.String(), "", said["expires"],
	}, "\n")))
	signature, err := base64.StdEncoding.DecodeString(said["signature"])
	return err == nil && hmac.Equal(signature, mac.Sum(nil))
}

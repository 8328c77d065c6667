package simulator

import (
	"encoding/json"
	"net/http"
)

// An answer is what a client gets.
type answer struct {
	status      int
	contentType string
	retryAfter  string
	body        []byte
}

func (a answer) write(w http.ResponseWriter) {
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
	}
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone does not miss it
}

func text(status int, contentType, body string) answer {
	return answer{status: status, contentType: contentType, body: []byte(body)}
}

func object(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types, which can all be written
	}
	return answer{status: status, contentType: "application/json", body: append(body, '\n')}
}

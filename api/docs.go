package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/swaggest/swgui/v5/static"

	"github.com/senim-kz/senim/internal/fault"
)

// The page is Swagger UI, served from files built into the binary. It loads
// nothing from elsewhere and runs no script written into the page, which the
// policy below holds browsers to. Swagger UI needs inline styles.
const (
	docsPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Senim API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`
	docsStart = `window.onload = function () {
  SwaggerUIBundle({ url: "/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null });
};
`
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	docsLife = "public, max-age=3600"
)

// docsTypes are the kinds of file there are.
var docsTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".png": "image/png",
}

func (h handlers) GetDocumentation(context.Context, GetDocumentationRequestObject) (GetDocumentationResponseObject, error) {
	return rawResponse{"text/html; charset=utf-8", map[string]string{"Content-Security-Policy": docsPolicy}, []byte(docsPage)}, nil
}

func (h handlers) GetDocsAsset(ctx context.Context, r GetDocsAssetRequestObject) (GetDocsAssetResponseObject, error) {
	_, c := enter(ctx)
	contentType := docsTypes[path.Ext(r.Asset)]
	headers := map[string]string{"Cache-Control": docsLife, "Vary": "Accept-Encoding"}
	if r.Asset == "start.js" {
		return rawResponse{contentType, headers, []byte(docsStart)}, nil
	}
	if body, err := static.FS.ReadFile(r.Asset); err == nil && contentType != "" {
		return rawResponse{contentType, headers, body}, nil
	}
	packed, err := static.FS.ReadFile(r.Asset + ".gz")
	if err != nil || contentType == "" {
		return nil, fault.New(fault.RouteUnknown, "", "the page has no such file")
	}
	if strings.Contains(c.request.Header.Get("Accept-Encoding"), "gzip") {
		headers["Content-Encoding"] = "gzip"
		return rawResponse{contentType, headers, packed}, nil
	}
	body, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", r.Asset, err)
	}
	return rawResponse{contentType, headers, body}, nil
}

// unpack opens one of the built-in files, which are ours and small.
func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

<?php
// A visitor's browser and a jasny/sso broker (v0.5.1) in one, as far as the server can see them.
//
//   php client.php SERVER BROKER SECRET RETURN_URL STEP…
//
// Steps: attach, info, login:USER:PASSWORD, logout, await:STATUS (asks for info until it has that status), switch:BROKER (the same browser attaches
// at another broker, which is asked from then on).
// Each prints one line: the step's name, the HTTP status, the body.

[, $server, $broker, $secret, $returnUrl] = $argv;
$token = base_convert(bin2hex(random_bytes(32)), 16, 36);
$code = null;
$cookie = null; // of the last attach

function checksum(string $command): string
{
    global $secret, $token;
    return base_convert(hash_hmac('sha256', $command . ':' . $token, $secret), 16, 36);
}

/** One request; no redirect is followed. Returns status, headers, body. */
function send(string $method, string $url, array $headers, string $body = ''): array
{
    $http = ['method' => $method, 'header' => $headers, 'ignore_errors' => true, 'follow_location' => 0, 'timeout' => 10];
    if ($body !== '') {
        $http['content'] = $body;
    }
    $text = file_get_contents($url, false, stream_context_create(['http' => $http]));
    if ($text === false) {
        fwrite(STDERR, "no answer from $url\n");
        exit(1);
    }
    return [(int) explode(' ', $http_response_header[0])[1], $http_response_header, $text];
}

/** jasny's Broker::request: GET without a body; POST with a form, or with neither body nor Content-Length. */
function request(string $method, string $path, array $data = []): array
{
    global $server, $broker, $token, $code;
    $headers = ['Accept: application/json', "Authorization: Bearer SSO-$broker-$token-" . checksum("bearer:$code")];
    if ($data !== []) {
        $headers[] = 'Content-Type: application/x-www-form-urlencoded';
    }
    [$status, $sent, $body] = send($method, "$server/api/$path.php", $headers, http_build_query($data));
    // What jasny's broker insists on, for every answer but 204.
    if ($status !== 204 && !preg_grep('~^content-type: application/json(;|$)~i', $sent)) {
        fwrite(STDERR, "$path: $status is not JSON\n");
        exit(1);
    }
    return [$status, $body];
}

function attach(bool $again = false): array
{
    global $server, $broker, $token, $returnUrl, $code, $cookie;
    $query = ['broker' => $broker, 'token' => $token, 'checksum' => checksum('attach'), 'return_url' => $returnUrl];
    $sent = $again ? ['Accept: text/html', "Cookie: $cookie"] : ['Accept: text/html'];
    [$status, $headers, $body] = send('GET', "$server/attach.php?" . http_build_query($query), $sent);
    if (preg_match('~^set-cookie: ([^;]+)~im', implode("\n", $headers), $found)) {
        $cookie = $found[1];
    }
    $location = preg_replace('~^location: ~i', '', current(preg_grep('~^location: ~i', $headers)) ?: '');
    parse_str(parse_url($location, PHP_URL_QUERY) ?? '', $params);
    $code = $params['sso_verify'] ?? null;
    return [$status, $code === null ? $location . $body : preg_replace('~sso_verify=.*~', 'sso_verify=CODE', $location)];
}

foreach (array_slice($argv, 5) as $step) {
    $words = explode(':', $step);
    switch ($words[0]) {
        case 'attach':
            $answer = attach();
            break;
        case 'switch':
            $broker = $words[1];
            $token = base_convert(bin2hex(random_bytes(32)), 16, 36);
            $answer = attach(true);
            break;
        case 'login':
            $answer = request('POST', 'login', ['username' => $words[1], 'password' => $words[2]]);
            break;
        case 'await':
            for ($tries = 0; $tries < 20; $tries++) {
                usleep(2_500_000); // Longer than the test's idle timeout: asking would keep the session.
                $answer = request('GET', 'info');
                if ($answer[0] === (int) $words[1]) {
                    break;
                }
            }
            break;
        default:
            $answer = request($words[0] === 'logout' ? 'POST' : 'GET', $words[0]);
    }
    echo trim("$words[0] $answer[0] $answer[1]"), "\n";
}

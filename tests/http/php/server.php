<?php
// A server that answers as jasny/sso's (v0.5.1) does, with the same texts, statuses and derived codes.
//
//   SSO_DIR=/empty/folder php -S 127.0.0.1:PORT server.php
//
// One broker (Alice), one user (jackie / jackie123). In SSO_DIR: the sessions, and which one a token is linked to.

$dir = getenv('SSO_DIR');
session_save_path($dir);
session_name('php_session');

function answer(int $status, ?array $body): never
{
    http_response_code($status);
    if ($body !== null) {
        header('Content-Type: application/json');
        echo json_encode($body);
    }
    exit;
}

function refuse(int $status, string $message): never
{
    answer($status, ['error' => $message]);
}

function php36(string $hex): string
{
    return base_convert($hex, 16, 36);
}

function code(string $broker, string $token, string $sessionId): string
{
    return php36(hash('sha256', $broker . $token . $sessionId));
}

function checksum(string $command, string $token): string
{
    return php36(hash_hmac('sha256', $command . ':' . $token, '8iwzik1bwd'));
}

function link_file(string $broker, string $token): string
{
    return getenv('SSO_DIR') . "/SSO-$broker-$token";
}

function attach(): never
{
    ['broker' => $broker, 'token' => $token, 'checksum' => $checksum] = $_GET;
    $returnUrl = $_GET['return_url'];
    session_start();
    if ($broker !== 'Alice' || $checksum !== checksum('attach', $token)) {
        refuse(403, 'Invalid attach checksum');
    }
    $link = link_file($broker, $token);
    if (is_file($link) && file_get_contents($link) !== session_id()) {
        refuse(400, 'Token is already attached');
    }
    file_put_contents($link, session_id());
    $separator = str_contains($returnUrl, '?') ? '&' : '?';
    header('Location: ' . $returnUrl . $separator . 'sso_verify=' . code($broker, $token, session_id()), true, 303);
    exit;
}

/** jasny's Server::startBrokerSession. */
function resume(): void
{
    $header = $_SERVER['HTTP_AUTHORIZATION'] ?? '';
    if (!str_starts_with($header, 'Bearer ')) {
        refuse(401, "Broker didn't use bearer authentication");
    }
    if (!preg_match('/^SSO-(\w*+)-(\w*+)-([a-z0-9]*+)$/', substr($header, 7), $parts)) {
        refuse(403, 'Invalid or expired bearer token');
    }
    [, $broker, $token, $checksum] = $parts;
    $link = link_file($broker, $token);
    if (!is_file($link)) {
        refuse(403, 'Invalid or expired bearer token');
    }
    $sessionId = file_get_contents($link);
    if ($checksum !== checksum('bearer:' . code($broker, $token, $sessionId), $token)) {
        refuse(403, 'Invalid or expired bearer token');
    }
    if (!is_file(getenv('SSO_DIR') . "/sess_$sessionId")) {
        refuse(401, 'Session has expired. Client must attach with new token.');
    }
    session_id($sessionId);
    session_start();
}

function user(): ?array
{
    $known = ['jackie' => ['username' => 'jackie', 'fullname' => 'Jackie <Black>']];
    return $known[$_SESSION['user'] ?? ''] ?? null;
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/attach.php':
        attach();
    case '/api/info.php':
        resume();
        answer(user() === null ? 204 : 200, user());
    case '/api/login.php':
        resume();
        if (($_POST['username'] ?? '') !== 'jackie' || ($_POST['password'] ?? '') !== 'jackie123') {
            refuse(400, 'Invalid credentials');
        }
        $_SESSION['user'] = 'jackie';
        answer(200, user());
    case '/api/logout.php':
        resume();
        unset($_SESSION['user']);
        answer(204, null);
    default:
        http_response_code(404);
        echo '<html>Not found</html>';
}

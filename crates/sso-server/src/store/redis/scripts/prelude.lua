-- What all scripts begin with. ARGV[1] is the namespace, ARGV[2] the present instant; instants are milliseconds.
-- They are kept as the texts that came: Lua would write such numbers with 14 digits only. "" stands for none.
local ns, now = ARGV[1], tonumber(ARGV[2])

local function key(kind, name)
  return ns .. ':' .. kind .. ':' .. name
end

-- A minute more than asked, for nodes whose clocks differ; ten years at most, for instants that never come.
local function lifetime(keep)
  return string.format('%.0f', math.min(math.max(tonumber(keep) - now, 0) + 60000, 315360000000))
end

local function later(a, b)
  if tonumber(b) > tonumber(a) then return b end
  return a
end

-- Puts a member into a list that lives as long as the last of its members; those whose time is over leave it.
local function enlist(list, member, ms)
  redis.call('ZREMRANGEBYSCORE', list, '-inf', '(' .. string.format('%.0f', now))
  redis.call('ZADD', list, string.format('%.0f', now + ms), member)
  if redis.call('PTTL', list) < tonumber(ms) then redis.call('PEXPIRE', list, ms) end
end

-- Whether the cookie leads to a session other than `but`. The session decides, for a cookie may outlive it by a moment.
local function taken(cookie, but)
  local owner = redis.call('GET', key('cookie', cookie))
  if not owner or owner == but then return false end
  local of = redis.call('HMGET', key('session', owner), 'cookie', 'old')
  return of[1] == cookie or of[2] == cookie
end

-- The links that were made to a session, the oldest first; of each it is asked whether it still leads there.
local function links_to(id)
  return redis.call('ZRANGE', key('links', id), 0, -1)
end

-- Whether a token has a link, and its session is there.
local function is_linked(link)
  local owner = redis.call('HGET', key('link', link), 'session')
  return owner and redis.call('EXISTS', key('session', owner)) == 1
end

-- Links a token to a session. How long that is kept, its caller says.
local function put_link(link, id, sealed, made)
  redis.call('HSET', key('link', link), 'session', id, 'sealed', sealed, 'called', '0')
  redis.call('ZADD', key('links', id), made, link)
end

-- Keeps a session, and all that leads to it, until `keep`.
local function keep_session(id, keep)
  local ms = lifetime(keep)
  local s = key('session', id)
  redis.call('PEXPIRE', s, ms)
  local of = redis.call('HMGET', s, 'cookie', 'old', 'user')
  for n = 1, 2 do
    if of[n] ~= '' and redis.call('GET', key('cookie', of[n])) == id then redis.call('PEXPIRE', key('cookie', of[n]), ms) end
  end
  if of[3] ~= '' then enlist(key('user', of[3]), id, ms) end
  for _, link in ipairs(links_to(id)) do
    if redis.call('HGET', key('link', link), 'session') == id then redis.call('PEXPIRE', key('link', link), ms) end
  end
  redis.call('PEXPIRE', key('links', id), ms)
end

-- The later one of the end that comes and the one that is noted; "" where the session has none.
local function later_end(id, ends)
  if ends == '' then return ends end
  return later(ends, redis.call('ZSCORE', ns .. ':ends', id) or ends)
end

-- Notes when the login of a session ends; "" where it does not. The list lives as long as the last of its members.
local function note_end(id, ends, keep)
  local list, ms = ns .. ':ends', lifetime(keep)
  if ends == '' then
    redis.call('ZREM', list, id)
  else
    redis.call('ZADD', list, ends, id)
    if redis.call('PTTL', list) < tonumber(ms) then redis.call('PEXPIRE', list, ms) end
  end
end

-- Cuts a link; whether it was there.
local function cut(link)
  local l = key('link', link)
  local owner = redis.call('HGET', l, 'session')
  if not owner then return false end
  redis.call('DEL', l)
  redis.call('ZREM', key('links', owner), link)
  -- What was left over from a session that is gone was no link any more.
  return redis.call('EXISTS', key('session', owner)) == 1
end

-- Removes a session with all that leads to it; whether it was there.
local function remove_session(id)
  local s = key('session', id)
  if redis.call('EXISTS', s) == 0 then return false end
  local of = redis.call('HMGET', s, 'cookie', 'old', 'user')
  for n = 1, 2 do
    if of[n] and of[n] ~= '' and redis.call('GET', key('cookie', of[n])) == id then redis.call('DEL', key('cookie', of[n])) end
  end
  if of[3] and of[3] ~= '' then redis.call('ZREM', key('user', of[3]), id) end
  for _, link in ipairs(links_to(id)) do
    if redis.call('HGET', key('link', link), 'session') == id then redis.call('DEL', key('link', link)) end
  end
  redis.call('DEL', key('links', id), s)
  redis.call('ZREM', ns .. ':ends', id)
  return true
end

-- Removes a family; whether it was there.
local function remove_family(id)
  local user = redis.call('HGET', key('family', id), 'user')
  if not user then return false end
  redis.call('ZREM', key('families', user), id)
  return redis.call('DEL', key('family', id)) == 1
end

-- A session as an answer: its name, its record, and the times that override the record's; false if it is not there.
local function answer(id)
  local s = redis.call('HMGET', key('session', id), 'sealed', 'seen', 'keep')
  return s[1] and { id, s[1], s[2], s[3] }
end

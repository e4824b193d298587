-- Store::put_family.
local id, version, sealed, user, expires = unpack(ARGV, 3)
local f = key('family', id)
local was, held = unpack(redis.call('HMGET', f, 'version', 'sealed'))
-- Each call seals anew: this one runs again. If somebody has written since its first run, this is a conflict though
-- it was made; whoever replaced a token finds the successor then, as another tab does.
if held == sealed then return 'done' end
if tonumber(was or '0') + 1 ~= tonumber(version) then return 'conflict' end
local ms = lifetime(expires)
redis.call('HSET', f, 'version', version, 'sealed', sealed, 'user', user)
redis.call('PEXPIRE', f, ms)
enlist(key('families', user), id, ms)
return 'done'

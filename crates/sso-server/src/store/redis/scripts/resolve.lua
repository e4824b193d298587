-- Store::resolve: link and session in one round trip, and when the link made its last call.
local l = redis.call('HMGET', key('link', ARGV[3]), 'session', 'sealed', 'called')
if not l[1] then return {} end
local found = answer(l[2], l[1])
if #found > 0 then found[#found + 1] = l[3] or '0' end
return found

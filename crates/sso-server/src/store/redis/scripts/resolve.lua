-- Store::resolve: link and session in one round trip.
local l = redis.call('HMGET', key('l', ARGV[3]), 'session', 'sealed')
if not l[1] then return {} end
return answer(l[2], l[1])

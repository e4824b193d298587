-- Store::called.
local link, at = unpack(ARGV, 3)
local l = key('link', link)
local was = redis.call('HMGET', l, 'session', 'called')
if not was[1] or redis.call('EXISTS', key('session', was[1])) == 0 then return { 'gone' } end
redis.call('HSET', l, 'called', later(was[2] or '0', at))
return { 'done' }

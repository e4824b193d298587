-- Store::called.
local link, at = unpack(ARGV, 3)
local l = key('link', link)
if is_linked(link) then redis.call('HSET', l, 'called', later(redis.call('HGET', l, 'called') or '0', at)) end

-- Store::remove_family.
local f = key('f', ARGV[3])
local user = redis.call('HGET', f, 'user')
if not user then return {} end
redis.call('DEL', f)
redis.call('ZREM', key('uf', user), ARGV[3])
return { 'done' }

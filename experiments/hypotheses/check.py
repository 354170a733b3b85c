import yaml,sys
sys.path.insert(0,'/tmp/w/hyp')
from cej_sim.scenario import PARAMETERS
from cej_sim.metrics import NAMES
import cej_sim as cej
d=yaml.safe_load(open('hypotheses.yaml'))
assert [h['id'] for h in d]==[f'H{i}' for i in range(1,17)]
for h in d:
    offs=[h['off']]+[t['off'] for t in h['tests'] if 'off' in t]
    for o in offs:
        if isinstance(o,dict):
            for p in o: assert p in PARAMETERS,p
    for s in h['setups'].values():
        for p,v in s.get('set',{}).items(): assert p in PARAMETERS,p
        cej.load(s.get('scenario',h.get('scenario'))).with_values(s.get('set',{}))
    for t in h['tests']: assert t['metric'] in NAMES+('causal_influence',),t
print('ok')

"""OpenVINO on flows of images: as open_vino.py."""

import open_vino
import planes_graph

import planes

MODELS = planes


class Peer(open_vino.Peer):
    def run(self, model, rows):
        if (model, len(rows)) not in self.compiled:
            read = self.core.read_model(model(self.flow, len(rows)).SerializeToString())
            compiled = self.core.compile_model(read, "CPU", open_vino.OPTIONS)
            self.compiled[model, len(rows)] = compiled.create_infer_request()
        return self.compiled[model, len(rows)].infer([rows], share_inputs=True)[0]

    def log_prob(self, x):
        return self.run(planes_graph.log_prob_model, x)

    def inverse(self, z):
        return self.run(planes_graph.inverse_model, z)

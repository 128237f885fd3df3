# @fill mlp.init
self.scale = nn.Parameter(torch.ones(self.fc.out_features))
self.bias = nn.Parameter(torch.zeros(self.fc.out_features))


# @replace mlp.hidden
hidden = self.scale.to(x.dtype) * F.relu(self.fc(x)).square() + self.bias.to(x.dtype)

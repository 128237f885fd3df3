# @fill main.setup
if h.muon_backend_steps > 5:  # public scripts run the five without a word
    stop(f"MUON_BACKEND_STEPS={h.muon_backend_steps} is more than Polar Express's 5 iterations")


# @replace muon.coefficients
# each the best for what the one before leaves of the singular values
coefficients = [
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
][:steps]
